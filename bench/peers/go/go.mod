// The module of the benchmarks: the standard library only.
// SPDX-License-Identifier: MIT
module bench

go 1.19
