import { type Signal, signalName } from "./signal.ts";

/** How a process ended: one of `code` and `signal` is `null`, both where nobody could say. */
export interface ExitStatus {
	/** Exit code, 0 to 255. */
	code: number | null;
	/** The signal that killed it. */
	signal: Signal | null;
	/** Whether it left a core dump. */
	dumped: boolean;
}

/** One state change, as waitid(2) reports it. */
export interface ChildState {
	/** What happened. */
	state: "exited" | "killed" | "dumped" | "stopped" | "trapped" | "continued";
	/** Its pid. */
	pid: number;
	/** Its real user id. */
	uid: number;
	/** Exit code of one that exited. */
	code: number | null;
	/** The signal that killed, stopped or continued it. */
	signal: Signal | null;
}

/** What a process used, with the names and units of Node's `process.resourceUsage()`. */
export type ResourceUsage = NodeJS.ResourceUsage;

/** The state changes that can be waited for. */
export type StateKind = "exited" | "stopped" | "continued";

const states = [undefined, "exited", "killed", "dumped", "trapped", "stopped", "continued"] as const;
/** Which wait hears of a state. */
export const stateKinds = {
	exited: "exited",
	killed: "exited",
	dumped: "exited",
	trapped: "stopped",
	stopped: "stopped",
	continued: "continued",
} as const;

/** A state change from the numbers of the addon: CLD code, status, pid, uid. */
export function toState([code = 0, status = 0, pid = 0, uid = 0]: readonly number[], visible: number): ChildState {
	const state = states[code] ?? "exited";
	const exited = state === "exited";
	const known = code !== 0;
	const signal = signalName(status & 0x7f); // a tracer is told more in the bits above
	return {
		state,
		pid: visible || pid,
		uid,
		code: exited && known ? status : null,
		signal: exited ? null : signal,
	};
}

/** The end of a process, without what its parent alone would ask. */
export function toExitStatus({ state, code, signal }: ChildState): ExitStatus {
	return { code, signal, dumped: state === "dumped" };
}

/** `"exited with 7"`, `"was killed by SIGKILL"`, `"has ended"`. */
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

/** `struct rusage` in the numbers of the addon, by Node's names; `undefined` where the kernel did not say. */
export function toUsage(numbers: number[]): ResourceUsage | undefined {
	if (numbers.length === 0) return undefined;
	return Object.fromEntries(usageNames.map((name, index) => [name, numbers[index] ?? 0])) as unknown as ResourceUsage;
}
