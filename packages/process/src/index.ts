/**
 * {@include ../README.md}
 *
 * @module @nearfar/process
 */

export type { Caps, SecureBit } from "@nearfar/caps";
export type {
	ChildState,
	Command,
	ExecOptions,
	ExitStatus,
	ProcessOption,
	ResourceUsage,
	Signal,
	WaitOptions,
} from "@nearfar/core";
export {
	ChildBusyError,
	ChildDeadError,
	ChildProcess,
	ExitError,
	MultithreadedError,
	NamespaceMismatchError,
	Process,
	SyscallError,
	TaskGoneError,
	ThreadProcess,
	ThreadsError,
} from "@nearfar/core";
export type { PrctlOption, PriorityWhich, Resource, SigprocmaskHow } from "@nearfar/core/internal";
export { getpgid, getsid, setpgid } from "@nearfar/credentials";
export * from "./affinity.ts";
export * from "./limits.ts";
export * from "./prctl/child-subreaper.ts";
export * from "./prctl/death-signal.ts";
export * from "./prctl/dumpable.ts";
export * from "./prctl/keep-caps.ts";
export * from "./prctl/name.ts";
export * from "./prctl/no-new-privs.ts";
export * from "./prctl/prctl.ts";
export * from "./prctl/ptracer.ts";
export * from "./prctl/thp-disable.ts";
export * from "./prctl/timer-slack.ts";
export * from "./priority.ts";
export * from "./sigaction.ts";
export * from "./signals.ts";
export * from "./sigprocmask.ts";
export { type RunOptions, type RunResult, run } from "./spawn/run.ts";
export * from "./spawn/spawn.ts";
