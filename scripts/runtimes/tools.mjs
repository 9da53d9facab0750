// What the cases share. No module of a test framework, and nothing that one of the runtimes lacks.
import { ok, strictEqual } from "node:assert";
import { spawn as spawnNode } from "node:child_process";
import { Task } from "@nearfar/core";

export { ok as truthy, strictEqual as equal };

/** Compares as JSON: what Node itself makes in jest has the prototypes of another realm. */
export const same = (actual, expected) => strictEqual(JSON.stringify(actual), JSON.stringify(expected));

/** Thrown by a case that this host cannot run. */
export class Skip extends Error {}

/** The folder with the programs that cases start with this runtime. */
const programs = new URL("programs/", import.meta.url);

/** Clones a task for a function, and disposes of it afterwards. */
export async function withTask(options, use) {
	const task = await Task.clone(options);
	try {
		await use(task);
	} finally {
		await task[Symbol.asyncDispose]();
	}
}

/** Clones a task in a new user namespace and others. Skips the case where the host allows none. */
export async function withRoot(namespaces, use) {
	let task;
	try {
		task = await Task.clone({ namespaces: ["user", ...namespaces], idMap: "root" });
	} catch (error) {
		if (!["EPERM", "EACCES", "ENOSPC", "EUSERS"].includes(error.code)) throw error;
		throw new Skip(`no user namespace: ${error.message}`);
	}
	try {
		await use(task);
	} finally {
		await task[Symbol.asyncDispose]();
	}
}

/** Returns the error that a function throws, which has to have the code. */
export function throws(act, code) {
	let error;
	try {
		act();
	} catch (thrown) {
		error = thrown;
	}
	return withCode(error, code);
}

/** Returns the error that a promise rejects with, which has to have the code. */
export async function rejects(promise, code) {
	return withCode(
		await promise.then(
			() => undefined,
			(error) => error,
		),
		code,
	);
}

function withCode(error, code) {
	if (error?.code !== code) throw error ?? new Error(`nothing was thrown, instead of ${code}`);
	return error;
}

/** The address of a program for a Worker. */
export const program = (name) => new URL(name, programs);

/** Starts a program with this runtime. `line` resolves with its first line of output, `ended` with its output and its end. */
export function startProgram(name, args = []) {
	const flags = globalThis.Deno ? ["run", "--allow-all"] : [];
	const file = decodeURIComponent(program(name).pathname);
	const child = spawnNode(process.execPath, [...flags, file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
	let output = "";
	const line = new Promise((resolve) => {
		child.stdout.on("data", (chunk) => {
			output += chunk;
			if (output.includes("\n")) resolve(output.slice(0, output.indexOf("\n")));
		});
		child.stdout.on("end", () => resolve(output));
	});
	const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, output })));
	return { child, line, ended };
}

/** Resolves when a process is gone or is a zombie of another process. */
export async function untilGone(pid) {
	const { readFileSync } = await import("node:fs");
	for (;;) {
		try {
			if (/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"))) return;
		} catch {
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}
