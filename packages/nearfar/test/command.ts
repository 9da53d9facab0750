import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** What was built: the command as users have it. */
export const program = fileURLToPath(new URL("../dist/nearfar.js", import.meta.url));

/** How the command ended, and what it wrote. */
export interface Ended {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: string;
	readonly stderr: string;
	/** What it wrote to descriptor 3. */
	readonly report: string;
}

/** The command while it runs. */
export interface Running {
	readonly child: ChildProcess;
	readonly ended: Promise<Ended>;
	/** Waits until the standard output has a text. */
	shows(text: string): Promise<void>;
}

/** The options of a test for the command. */
export interface Options {
	readonly cwd?: string;
	readonly env?: Readonly<Record<string, string | undefined>>;
	/** What it reads as its standard input. Default: nothing. `undefined`: the test writes it. */
	readonly input?: string | undefined;
}

/** Starts the command `nearfar`. Descriptor 3 is a pipe. */
export function startNearfar(args: readonly string[], options: Options = {}): Running {
	const { cwd, env, input } = { input: "", ...options };
	const stdio: StdioOptions = ["pipe", "pipe", "pipe", "pipe"];
	const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...process.env, ...env }, stdio });
	const written = ["", "", ""];
	let changed = () => {};
	for (const [index, stream] of child.stdio.slice(1).entries()) {
		(stream as NodeJS.ReadableStream).setEncoding("utf8").on("data", (text) => {
			written[index] += text;
			changed();
		});
	}
	child.stdin?.on("error", () => {}); // the command may end before it has read all of it
	if (input !== undefined) child.stdin?.end(input);
	let over = false;
	const ended = new Promise<Ended>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code, signal) => {
			const [stdout = "", stderr = "", report = ""] = written;
			over = true;
			changed();
			resolve({ code, signal, stdout, stderr, report });
		});
	});
	const shows = async (text: string) => {
		while (!written[0]?.includes(text)) {
			if (over) throw new Error(`the command has ended, and not shown ${text}: ${JSON.stringify(written)}`);
			await new Promise<void>((resolve) => {
				changed = resolve;
			});
		}
	};
	return { child, ended, shows };
}

/** Runs the command `nearfar` to its end. */
export function nearfar(args: readonly string[], options?: Options): Promise<Ended> {
	return startNearfar(args, options).ended;
}

/** Makes an empty folder, which is removed when the test has finished. */
export function folder(): string {
	const path = mkdtempSync(join(tmpdir(), "nearfar-command-"));
	onTestFinished(() => rmSync(path, { recursive: true }));
	return path;
}
