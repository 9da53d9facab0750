import { type StdioOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a fixture is started. */
export interface FixtureOptions {
	/** Words before `node`: another program that starts it. */
	wrapper?: readonly string[];
	/** Options of Node. */
	node?: readonly string[];
	/** What it gets in `process.argv`. */
	args?: readonly string[];
	env?: Record<string, string>;
}

/** How a fixture ended, and what it said. */
export interface FixtureEnd {
	code: number | null;
	signal: NodeJS.Signals | null;
	/** The JSON that it wrote to its descriptor 3. */
	// biome-ignore lint/suspicious/noExplicitAny: whatever the fixture reports
	report: any;
	stderr: string;
}

/** Returns the path of a fixture program: `"core/loop"` is `packages/core/test/fixtures/loop.mjs`. */
export function fixturePath(name: string): string {
	const [folder, file] = name.split("/");
	return fileURLToPath(new URL(`../packages/${folder}/test/fixtures/${file}.mjs`, import.meta.url));
}

/** Runs a fixture program to its end. It reports through descriptor 3: stdio may be what the test is about. */
export async function runFixture(name: string, options: FixtureOptions = {}): Promise<FixtureEnd> {
	const { wrapper = [], node = [], args = [], env = {} } = options;
	const [file = process.execPath, ...words] = [...wrapper, process.execPath, ...node, fixturePath(name), ...args];
	const stdio: StdioOptions = ["ignore", "ignore", "pipe", "pipe"];
	const child = spawn(file, words, { stdio, env: { ...process.env, ...env } });
	const [stderr, report] = [child.stdio[2], child.stdio[3]].map(text);
	const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code, signal) => resolve([code, signal]));
	});
	const said = await report;
	return { code, signal, report: said ? JSON.parse(said) : undefined, stderr: (await stderr) ?? "" };
}

async function text(stream: unknown): Promise<string> {
	let all = "";
	for await (const chunk of stream as AsyncIterable<Buffer>) all += chunk;
	return all;
}
