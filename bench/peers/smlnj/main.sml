(* The benchmark program of Concurrent ML: which workloads it has, and what runs one.
   SPDX-License-Identifier: MIT *)
structure Main = struct

fun ns (steps, f) count = [1E9 * Bench.seconds (fn () => f count) / real (steps * count)]
fun ms f count = [1E3 * Bench.seconds (fn () => f count)]

val workloads = [
      ("pingpong", 1000000, ns (1, Messages.pingpong)),
      ("spawn", 1000000, ns (1, Threads.spawnMany)),
      ("ring", 2000000, ns (1, Messages.ring)),
      ("skynet", 1000000, ms Threads.skynet),
      ("sieve", 2000, ms Messages.sieve),
      ("select", 1000000, ns (1, Messages.choice)),
      ("select-timeout", 1000000, ns (1, Messages.choiceOrTimeout)),
      ("yield", 2000000, ns (2, Threads.yieldOften)),
      ("fib", 24, ms Threads.fib),
      ("mutex", 2000000, ns (1, Threads.mutex)),
      ("timers", 1000, Threads.timers),
      ("idle", 500000, Threads.idle),
      ("speedup", 64, Threads.speedup),
      ("chain", 100, ms Messages.chain),
      ("diagonal", 10, ms Messages.diagonal),
      ("fan-out", 100, ms Messages.fanOut),
      ("ping-pong", 100, ms Messages.pingPong)]

(* Time-outs are looked at between time slices, of 20 ms if not told otherwise. *)
fun slice "timers" = SOME (Time.fromMilliseconds 1)
  | slice _ = NONE

val figure = Real.fmt (StringCvt.FIX (SOME 1))

fun run (name, f, count) =
      RunCML.doit (fn () => (
            print (String.concatWith " " (map figure (f count)) ^ "\n");
            RunCML.shutdown OS.Process.success), slice name)

fun skip what = (
      TextIO.output (TextIO.stdErr, "smlnj: " ^ what ^ "\n");
      Posix.Process.exit 0w77)

fun main (_, ["list"]) = (
      app (fn (name, _, _) => print (name ^ " 1\n")) workloads;
      OS.Process.success)
  | main (_, name :: workers :: rest) = (
      case (workers, List.find (fn (other, _, _) => other = name) workloads) of
        ("1", SOME (_, default, f)) =>
          run (name, f, case rest of [] => default | count :: _ => valOf (Int.fromString count))
      | _ => skip ("no " ^ name ^ " with " ^ workers ^ " workers"))
  | main _ = (
      TextIO.output (TextIO.stdErr, "usage: smlnj WORKLOAD WORKERS [COUNT]\n");
      Posix.Process.exit 0w2)

end
