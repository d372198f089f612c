// A server and its client, for an image that holds nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

const address = "127.0.0.1:8080"
const workers = 8

func prime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// count counts primes below limit, a share in each goroutine.
func count(limit int) int {
	found := make(chan int, workers)
	var all sync.WaitGroup
	for w := 0; w < workers; w++ {
		all.Add(1)
		go func(first int) {
			defer all.Done()
			n := 0
			for i := first; i < limit; i += workers {
				if prime(i) {
					n++
				}
			}
			found <- n
		}(w)
	}
	all.Wait()
	close(found)
	sum := 0
	for n := range found {
		sum += n
	}
	return sum
}

func answer(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 0 || limit > 1000000 {
		http.Error(w, "limit is no number up to a million", http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%d primes below %d, counted by %d goroutines for %d:%d\n",
		count(limit), limit, workers, os.Getuid(), os.Getgid())
}

func serve() error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("serving on %s", address)
	select {
	case err := <-failed:
		return err
	case <-ended:
		log.Print("asked to end")
		return server.Shutdown(context.Background())
	}
}

func ask(limit string) error {
	response, err := http.Get("http://" + address + "/?limit=" + limit)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		err = serve()
	case len(os.Args) == 3 && os.Args[1] == "ask":
		err = ask(os.Args[2])
	default:
		err = fmt.Errorf("serve, or ask LIMIT")
	}
	if err != nil {
		log.Fatal(err)
	}
}
