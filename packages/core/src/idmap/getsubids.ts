import { environmentVariable } from "../environment.ts";
import { ExitError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";

const LONGEST = 16 * 1024 * 1024; // bytes of output

/**
 * Runs getsubids(1) of Node's own root, and returns its output. Exit code 1 means that the user has no ranges: the output is empty.
 *
 * `node:child_process` runs the program, because tasks are a floor above this one, and because the answer is about Node's own root.
 */
export async function getsubids(...args: string[]): Promise<string> {
	const { execFile } = process.getBuiltinModule("node:child_process");
	const PATH = environmentVariable("PATH");
	// The folder is one that exists. With a removed folder the error of the start would be ENOENT, too.
	const options = { cwd: "/", env: PATH === undefined ? {} : { PATH }, maxBuffer: LONGEST };
	return await new Promise((resolve, reject) => {
		execFile("getsubids", args, options, (error, output) => {
			if (!error) resolve(output);
			else if (error.code === 1) resolve("");
			else reject(failure(error, args));
		});
	});
}

function failure(
	error: Error & { code?: unknown; errno?: unknown; signal?: NodeJS.Signals | null | undefined },
	args: readonly string[],
): Error {
	const { code, errno, signal } = error;
	const command = { path: "getsubids", argv: ["getsubids", ...args] };
	if (typeof code === "string" && typeof errno === "number") {
		const hint =
			"/etc/nsswitch.conf has a service for subid: install getsubids, which Debian has in the package uidmap";
		return new SyscallError(
			{ code, errno: -errno, syscall: "execve" },
			{ path: "getsubids", command, ...(code === "ENOENT" && { hint }) },
		);
	}
	if (typeof code === "number") {
		return new ExitError(`getsubids exited with code ${code}`, { code, signal: null, dumped: false }, command);
	}
	if (signal) return new ExitError(`getsubids was killed by ${signal}`, { code: null, signal, dumped: false }, command);
	return error;
}
