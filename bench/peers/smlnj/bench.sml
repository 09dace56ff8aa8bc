(* What the workloads of Concurrent ML have in common.
   SPDX-License-Identifier: MIT *)
structure Bench = struct

fun check (true, _) = ()
  | check (false, what) = (
      TextIO.output (TextIO.stdErr, "smlnj: " ^ what ^ "\n");
      OS.Process.exit OS.Process.failure)

fun seconds f =
      let
        val begin = Time.now ()
      in
        f ();
        Time.toReal (Time.- (Time.now (), begin))
      end

fun times (0, _) = ()
  | times (n, f) = (f (); times (n - 1, f))

fun spawn f = ignore (CML.spawn f)

fun join threads = app (CML.sync o CML.joinEvt) threads

fun channels n = Vector.tabulate (n, fn _ => CML.channel ())

end
