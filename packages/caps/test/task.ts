import { readFileSync } from "node:fs";
import { type Process, Task } from "@nearfar/core";
import { outputOfProgram } from "../../../test/output-of-program.ts";

const [CAPGET, CAPSET, PRCTL] = process.arch === "arm64" ? [90, 91, 167] : [125, 126, 157];

/** Returns a task that is user 0 of a new user namespace: the task has every capability there, for any caller. */
export function powerful(): Promise<Task> {
	return Task.clone({ namespaces: ["user"], idMap: "root" });
}

/** Returns a task that is user 1000 of a new user namespace, and has every capability there. */
export function powerfulUser(): Promise<Task> {
	const map = (id: number | undefined) => [{ inside: 1000, outside: id ?? 0, count: 1 }];
	const idMap = { uids: map(process.getuid?.()), gids: map(process.getgid?.()) };
	return Task.clone({ namespaces: ["user"], idMap });
}

/** Returns the five sets of a process as /proc shows them. */
export function sets(pid: number | "self" | "thread-self"): Record<"Inh" | "Prm" | "Eff" | "Bnd" | "Amb", bigint> {
	return parse(readFileSync(`/proc/${pid}/status`, "utf8"));
}

function parse(status: string): ReturnType<typeof sets> {
	const lines = [...status.matchAll(/^Cap(...):\t(.*)$/gm)];
	return Object.fromEntries(lines.map(([, name, bits]) => [name, BigInt(`0x${bits}`)])) as ReturnType<typeof sets>;
}

/** Makes the bare call prctl(2). */
export function prctl(task: Task, option: number, ...args: number[]): bigint {
	return task.syscall(PRCTL, option, ...args) as bigint;
}

/** Makes the bare call capget(2), with any version and with or without room for the answer. Also returns the version. */
export function rawCapget(task: Task | Task<Process>, version: number, pid: number, data: Uint8Array | number): number {
	const header = new Uint8Array(new Int32Array([version, pid]).buffer);
	task.syscall(CAPGET, header, data);
	return new Uint32Array(header.buffer)[0] ?? 0;
}

/** Makes the bare call capget(2) with a null pointer for the header. */
export function capgetWithoutHeader(task: Task): void {
	task.syscall(CAPGET, 8, 0);
}

/** Makes the bare call capset(2). */
export function capset(task: Task, effective: bigint, permitted: bigint, inheritable: bigint): void {
	const header = new Uint8Array(new Uint32Array([0x2008_0522, 0]).buffer);
	const half = (shift: bigint) =>
		[effective, permitted, inheritable].map((set) => Number((set >> shift) & 0xffff_ffffn));
	task.syscall(CAPSET, header, new Uint8Array(new Uint32Array([...half(0n), ...half(32n)]).buffer));
}

/** Executes a program that shows its status, and reads its sets. */
export async function setsAfterExec(task: Task, program?: string): Promise<ReturnType<typeof sets>> {
	return parse(await outputOfProgram(task, ["cat", "/proc/self/status"], program));
}
