import { type Spawned, spawn } from "@nearfar/process";
import { openTerminal } from "../../src/tty/open.ts";
import { Terminal } from "../../src/tty/terminal.ts";
import { Screen } from "./screen.ts";

/** A program of the host with a terminal of the host, as a user starts one. */
export interface Outer extends AsyncDisposable {
	readonly child: Spawned;
	readonly screen: Screen;
	/** The master of the terminal. */
	readonly terminal: Terminal;
	/** What the program writes to its descriptor 3. */
	readonly report: Promise<string>;
}

/** Starts a program of the host as the leader of a session, whose controlling terminal is 0, 1 and 2. */
export async function inTerminal(
	file: string,
	args: readonly string[],
	env: Readonly<Record<string, string>> = {},
): Promise<Outer> {
	let master: Awaited<ReturnType<typeof openTerminal>> | undefined;
	const child = await spawn(file, args, {
		stdio: ["ignore", "ignore", "ignore", "pipe"],
		session: true,
		env: { ...process.env, ...env },
		async setup(task) {
			master = await openTerminal(task, { columns: 80, rows: 24 });
		},
	});
	if (!master) throw new Error("no terminal");
	const terminal = new Terminal(master.master);
	const [, , , channel] = child.stdio;
	channel?.end();
	const report = text(channel);
	return {
		child,
		screen: new Screen(terminal),
		terminal,
		report,
		async [Symbol.asyncDispose]() {
			await child[Symbol.asyncDispose]();
			terminal.hangUp();
			terminal.resume();
			await report;
		},
	};
}

async function text(stream: AsyncIterable<Buffer> | null | undefined): Promise<string> {
	let all = "";
	for await (const chunk of stream ?? []) all += chunk;
	return all;
}
