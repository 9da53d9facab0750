import { type Signal, signalName } from "./signal.ts";

/**
 * How a process ended: with an exit code from 0 to 255, or by a signal. Both are `null` when the kernel did not report the
 * status. `dumped` is true when the process left a core dump.
 */
export type ExitStatus =
	| { code: number; signal: null; dumped: boolean }
	| { code: null; signal: Signal | null; dumped: boolean };

/** One state change, as waitid(2) reports it. */
export interface ChildState {
	/** The kind of change. */
	state: "exited" | "killed" | "dumped" | "stopped" | "trapped" | "continued";
	/** Its pid. */
	pid: number;
	/** The real user id of the process. */
	uid: number;
	/** Exit code of one that exited. */
	code: number | null;
	/** The signal that killed, stopped or continued it. */
	signal: Signal | null;
}

/** The resources that a process has used, with the names and units of Node's `process.resourceUsage()`. */
export type ResourceUsage = NodeJS.ResourceUsage;

/** The state changes that can be waited for. */
export type StateKind = "exited" | "stopped" | "continued";

const states = [undefined, "exited", "killed", "dumped", "trapped", "stopped", "continued"] as const;
/** The kind of wait that a state change ends. */
export const stateKinds = {
	exited: "exited",
	killed: "exited",
	dumped: "exited",
	trapped: "stopped",
	stopped: "stopped",
	continued: "continued",
} as const;

/**
 * Makes a state change from the numbers of the addon.
 *
 * @param numbers - CLD code, status, pid and uid, as in `siginfo_t`. Empty: the process has ended, and the status is not known.
 * @param visible - The pid as this process sees it; 0: the pid among the numbers.
 */
export function toState([code = 0, status = 0, pid = 0, uid = 0]: readonly number[], visible: number): ChildState {
	const state = states[code] ?? "exited";
	const exited = state === "exited";
	const known = code !== 0;
	const signal = signalName(status & 0x7f); // the bits above are for a tracer
	return {
		state,
		pid: visible || pid,
		uid,
		code: exited && known ? status : null,
		signal: exited ? null : signal,
	};
}

/** Returns how a process ended from its last state change. */
export function toExitStatus({ state, code, signal }: ChildState): ExitStatus {
	return { code, signal, dumped: state === "dumped" } as ExitStatus;
}

/** Returns `"exited with 7"`, `"was killed by SIGKILL"` or `"has ended"`. */
export function howItEnded({ code, signal }: Pick<ExitStatus, "code" | "signal">): string {
	if (signal !== null) return `was killed by ${signal}`;
	return code === null ? "has ended" : `exited with ${code}`;
}

const usageNames = [
	"userCPUTime",
	"systemCPUTime",
	"maxRSS",
	"sharedMemorySize",
	"unsharedDataSize",
	"unsharedStackSize",
	"minorPageFault",
	"majorPageFault",
	"swappedOut",
	"fsRead",
	"fsWrite",
	"ipcSent",
	"ipcReceived",
	"signalsCount",
	"voluntaryContextSwitches",
	"involuntaryContextSwitches",
] as const;

/** Converts the addon's numbers of a `struct rusage` to Node's names. `undefined`: the kernel reported none. */
export function toUsage(numbers: number[]): ResourceUsage | undefined {
	if (numbers.length === 0) return undefined;
	return Object.fromEntries(usageNames.map((name, index) => [name, numbers[index] ?? 0])) as unknown as ResourceUsage;
}
