// What the tests of the sandbox share: starting it as a process, and reading the output of the hostile program.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const isolateFile = fileURLToPath(new URL("./dist/isolate.js", import.meta.url));

/** Starts a shell in a sandbox that shows more files: path inside, path of the host. */
export function startInSandbox(script: string, bind: Record<string, string>): ChildProcess {
	const program = `
		import { isolate } from ${JSON.stringify(isolateFile)};
		const child = await isolate(["sh", "-c", ${JSON.stringify(script)}], ${JSON.stringify(bind)});
		process.exitCode = (await child.exited).code;
	`;
	return spawn(process.execPath, ["--input-type=module", "--eval", program]);
}

export function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
	return new Promise((resolve) => child.once("close", (code, signal) => resolve([code, signal])));
}

/** Returns the names of the attempts that have succeeded, from the output of the hostile program. */
export function succeeded(output: string): string[] {
	const lines = output.split("\n").filter((line) => line.includes("SUCCEEDED"));
	return lines.map((line) => line.slice(0, 36).trim());
}
