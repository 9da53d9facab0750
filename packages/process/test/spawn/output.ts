import { text } from "node:stream/consumers";
import type { ExitStatus, FileDescriptor, PathLike } from "@nearfar/core";
import { type SpawnOptions, spawn } from "../../src/index.ts";

/** The output of a program, and how the program ended. */
export interface Output {
	out: string;
	err: string;
	status: ExitStatus;
}

/** Spawns a program and waits for its end and all of its output. */
export async function output(
	file: PathLike | FileDescriptor,
	args: readonly string[] = [],
	options: SpawnOptions = {},
): Promise<Output> {
	const child = await spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
	const [out, err, status] = await Promise.all([
		child.stdout ? text(child.stdout) : "",
		child.stderr ? text(child.stderr) : "",
		child.exited,
	]);
	return { out, err, status };
}

/** Returns the standard output of a shell script, which has to succeed. */
export async function shell(script: string, options: SpawnOptions = {}): Promise<string> {
	const { out, err, status } = await output("/bin/sh", ["-c", script], options);
	if (status.code !== 0) throw new Error(`sh ended with ${status.code ?? status.signal}: ${err}`);
	return out.trim();
}
