export type {
	ChildState,
	Command,
	ExecOptions,
	ExitStatus,
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
} from "@nearfar/core";
export type { PrctlOption, PriorityWhich, Resource, SigprocmaskHow } from "@nearfar/core/internal";
export { getpgid, getsid, setpgid } from "@nearfar/credentials";
export * from "./affinity.ts";
export * from "./child-subreaper.ts";
export * from "./death-signal.ts";
export * from "./dumpable.ts";
export * from "./keep-caps.ts";
export * from "./limits.ts";
export * from "./name.ts";
export * from "./no-new-privs.ts";
export * from "./prctl.ts";
export * from "./priority.ts";
export * from "./ptracer.ts";
export * from "./sigaction.ts";
export * from "./signals.ts";
export * from "./sigprocmask.ts";
export * from "./spawn.ts";
export * from "./thp-disable.ts";
export * from "./timer-slack.ts";
