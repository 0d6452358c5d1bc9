// Package reference holds tests alone: the library against values that other programs computed.
//
//   - cases_test.go and the files of its kinds: cases exported from the JPC library, in testdata/reference
//   - behaviours_test.go: what JPC's own tests state, against matrix formulas (docs/JPC-behaviours.md)
//   - migration_test.go: what to write here for each function of JPC, pcx and FabricPC (docs/JPC-migration.md)
package reference
