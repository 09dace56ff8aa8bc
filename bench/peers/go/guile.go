// The workloads that Guile Fibers brings with it.
// SPDX-License-Identifier: MIT

package main

import (
	"math"
	"sync"
	"sync/atomic"
)

func chain(links int) {
	const messages = 10_000
	numbers := make(chan int)
	go numbersFrom(0, numbers)
	for i := 0; i < links; i++ {
		next := make(chan int)
		go answer(numbers, next)
		numbers = next
	}
	for i := 0; i < messages; i++ {
		if x := <-numbers; x != i {
			fail("the chain gave %d, not %d", x, i)
		}
	}
}

func broadcast(in <-chan int, outs []chan int) {
	for x := range in {
		for _, out := range outs {
			out <- x
		}
	}
}

func square(in <-chan int, out chan<- int) {
	for x := range in {
		out <- x * x
	}
}

func addUp(ins []chan int, out chan<- int) {
	for {
		sum := 0
		for _, in := range ins {
			sum += <-in
		}
		out <- sum
	}
}

func squareRoot(in <-chan int, out chan<- float64) {
	for x := range in {
		out <- math.Sqrt(float64(x))
	}
}

func diagonal(dimensions int) {
	const messages = 20_000
	numbers, sums, roots := make(chan int), make(chan int), make(chan float64)
	sides := make([]chan int, dimensions)
	squares := make([]chan int, dimensions)
	for i := range sides {
		sides[i], squares[i] = make(chan int), make(chan int)
		go square(sides[i], squares[i])
	}
	go numbersFrom(0, numbers)
	go broadcast(numbers, sides)
	go addUp(squares, sums)
	go squareRoot(sums, roots)
	for i := 0; i < messages; i++ {
		if x := <-roots; x != math.Sqrt(float64(i*i*dimensions)) {
			fail("the diagonal of %d is not %g", i, x)
		}
	}
}

func fanOut(getters int) {
	const messages = 200_000
	var wg sync.WaitGroup
	var total atomic.Int64
	c := make(chan int)
	wg.Add(getters)
	for i := 0; i < getters; i++ {
		go func() {
			defer wg.Done()
			sum := 0
			for x := range c {
				sum += x
			}
			total.Add(int64(sum))
		}()
	}
	for i := 0; i < messages; i++ {
		c <- i
	}
	close(c)
	wg.Wait()
	if got := total.Load(); got != messages*(messages-1)/2 {
		fail("the getters got %d in all", got)
	}
}

func pairs(count int) {
	const messages = 10_000
	var wg sync.WaitGroup
	wg.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			defer wg.Done()
			c := make(chan int)
			go answer(c, c)
			ask(c, c, messages)
		}()
	}
	wg.Wait()
}
