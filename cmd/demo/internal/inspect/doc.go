// Package inspect holds the commands that look at networks: coordcheck, infer, landscape and graph.
package inspect
