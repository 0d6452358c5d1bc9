// Package live serves run folders as a page while they grow: curves of every training, laid over each other, and a table of the runs.
//
//	s := &live.Server{Root: "runs"}
//	err := s.ListenAndServe(ctx, "127.0.0.1:8080", func(url string) { fmt.Println(url) })
//
// It reads what runs write anyway, manifest.json and metrics.jsonl, so that it sees runs of other processes, and of other machines
// through a shared folder. It never writes into them. Controls let a page pause, stop and keep the training of this process.
//
// The page is one embedded file. It loads nothing from the network, and all names and numbers reach it as text. An address beyond the
// loopback interface has a random token, without which nothing is served.
package live
