package graph

import "slices"

// prune drops instructions whose work another has drawn in, gives stages to the rest and lists them by target.
func (p *Program[T]) prune(targets [][]*Node) {
	producer := make([]int, len(p.values))
	for i := range producer {
		producer[i] = -1
	}
	for i, ins := range p.instrs {
		producer[ins.out] = i
	}
	used, usedAny := make([][]int, len(targets)), make([]bool, len(p.instrs))
	lastTarget := make([]int, len(p.instrs)) // by instruction, the last target, counted from 1, that is known to need it
	for t, nodes := range targets {
		var open []int // instructions whose operands are still to be followed
		need := func(value int) {
			if i := producer[value]; i >= 0 && lastTarget[i] != t+1 {
				lastTarget[i], usedAny[i] = t+1, true
				open = append(open, i)
			}
		}
		for _, n := range nodes {
			need(p.index[n])
		}
		for len(open) > 0 {
			i := open[len(open)-1]
			open = open[:len(open)-1]
			used[t] = append(used[t], i)
			for _, v := range p.instrs[i].in {
				need(v)
			}
		}
		slices.Sort(used[t])
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
