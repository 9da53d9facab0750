import { type FileDescriptor, SyscallError, Task } from "@nearfar/core";
import { adoptDescriptor } from "@nearfar/core/internal";

// Until @nearfar/landlock has these.

const fs = [
	...(["execute", "writeFile", "readFile", "readDir", "removeDir", "removeFile", "makeChar", "makeDir"] as const),
	...(["makeReg", "makeSock", "makeFifo", "makeBlock", "makeSym", "refer", "truncate", "ioctlDev"] as const),
	"resolveUnix",
] as const;
const net = ["bindTcp", "connectTcp"] as const;
const scopes = ["abstractUnixSocket", "signal"] as const;
const [CREATE, ADD, RESTRICT] = [444, 445, 446];

export type LandlockFsRight = (typeof fs)[number];
export type LandlockRuleset = FileDescriptor;

export function landlockAbi(): number {
	try {
		return Number(Task.near.syscall(CREATE, 0, 0, 1));
	} catch (error) {
		if (error instanceof SyscallError) return 0;
		throw error;
	}
}

export function landlockCreateRuleset(handled: {
	fs: readonly LandlockFsRight[];
	net?: readonly (typeof net)[number][];
	scoped?: readonly (typeof scopes)[number][];
}): LandlockRuleset {
	const sets = [bits(fs, handled.fs), bits(net, handled.net ?? []), bits(scopes, handled.scoped ?? [])];
	const length = sets[2] ? 24 : sets[1] ? 16 : 8;
	return adoptDescriptor(Number(Task.near.syscall(CREATE, bytes(sets).subarray(0, length), length, 0)));
}

export function landlockAddRule(
	ruleset: LandlockRuleset,
	rule:
		| { at: FileDescriptor; allow: readonly LandlockFsRight[] }
		| { port: number; allow: readonly (typeof net)[number][] },
): void {
	if ("port" in rule) {
		Task.near.syscall(ADD, ruleset.fd, 2, bytes([bits(net, rule.allow), BigInt(rule.port)]), 0);
		return;
	}
	const attribute = bytes([bits(fs, rule.allow), BigInt(rule.at.fd)]).subarray(0, 12);
	Task.near.syscall(ADD, ruleset.fd, 1, attribute, 0);
}

export function restrict(task: Task, ruleset: LandlockRuleset): void {
	task.syscall(RESTRICT, ruleset, 0);
}

function bits<T extends string>(table: readonly T[], names: readonly T[]): bigint {
	return names.reduce((sum, name) => sum | (1n << BigInt(table.indexOf(name))), 0n);
}

function bytes(values: readonly bigint[]): Buffer {
	return Buffer.from(BigUint64Array.from(values).buffer);
}
