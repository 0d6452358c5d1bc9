package graph

// prune drops instructions whose work another has drawn in, gives stages to the rest and lists them by target.
func (p *Program[T]) prune(targets [][]*Node) {
	producer := make([]int, len(p.values))
	for i := range producer {
		producer[i] = -1
	}
	for i, ins := range p.instrs {
		producer[ins.out] = i
	}
	used := make([][]bool, len(targets))
	usedAny := make([]bool, len(p.instrs))
	for t, nodes := range targets {
		used[t] = make([]bool, len(p.instrs))
		for _, n := range nodes {
			if i := producer[p.index[n]]; i >= 0 {
				used[t][i] = true
			}
		}
		for i := len(p.instrs) - 1; i >= 0; i-- {
			if !used[t][i] {
				continue
			}
			usedAny[i] = true
			for _, v := range p.instrs[i].in {
				if j := producer[v]; j >= 0 {
					used[t][j] = true
				}
			}
		}
	}
	for i := range p.instrs {
		if usedAny[i] {
			p.stageOf(&p.instrs[i])
		}
	}
	// what is used in another stage than its own must outlast the stage
	for i, ins := range p.instrs {
		if !usedAny[i] {
			continue
		}
		out := &p.values[ins.out]
		if ins.kind != rowwise || out.output {
			out.kept = true
		}
		for _, v := range ins.in {
			if in := &p.values[v]; in.batched && !in.input && in.stage != ins.stage {
				in.kept = true
			}
			if ins.kind != joint {
				p.values[v].users = append(p.values[v].users, ins.out)
			}
		}
	}
	p.targets = make([]target, len(targets))
	for t := range targets {
		p.targets[t] = p.newTarget(used[t])
	}
	p.used = usedAny
}

// Stages: what depends on weights alone comes first, level by level (negative numbers); then work by shards of rows
// (even numbers) alternates with work over the whole batch (odd numbers).
const firstStage = -1 << 20

// stageOf gives an instruction the earliest stage that its operands allow.
func (p *Program[T]) stageOf(ins *instr[T]) {
	out := &p.values[ins.out]
	switch {
	case out.static:
		s := firstStage
		for _, v := range ins.in {
			if in := p.values[v]; in.stage < -1 {
				s = max(s, in.stage+1)
			}
		}
		ins.stage = s
	case ins.kind == joint:
		s := 1
		for _, v := range ins.in {
			if st := p.values[v].stage; st >= 0 {
				s = max(s, st+1+st%2)
			}
		}
		ins.stage = s
	default:
		s := 0
		for _, v := range ins.in {
			if st := p.values[v].stage; st >= 0 {
				s = max(s, st+st%2)
			}
		}
		ins.stage = s
	}
	out.stage = ins.stage
	if ins.kind == reduce {
		out.stage++ // the total of a reduction is there one stage after its rows
	}
}
