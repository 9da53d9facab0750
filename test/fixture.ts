import { type StdioOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Options for the start of a fixture. */
export interface FixtureOptions {
	/** The words before `node`: a program that starts the fixture. */
	wrapper?: readonly string[];
	/** Options of Node. */
	node?: readonly string[];
	/** The arguments that the fixture finds in `process.argv`. */
	args?: readonly string[];
	env?: Record<string, string>;
}

/** How a fixture ended, and what it reported. */
export interface FixtureEnd {
	code: number | null;
	signal: NodeJS.Signals | null;
	/** The JSON that the fixture wrote to its descriptor 3. */
	// biome-ignore lint/suspicious/noExplicitAny: whatever the fixture reports
	report: any;
	stderr: string;
}

/** Returns the path of a fixture program: `"core/loop"` is `packages/core/test/fixtures/loop.mjs`. */
export function fixturePath(name: string): string {
	const [folder, file] = name.split("/");
	return fileURLToPath(new URL(`../packages/${folder}/test/fixtures/${file}.mjs`, import.meta.url));
}

/** Runs a fixture program to its end. The fixture reports through descriptor 3, because the test may be about stdio. */
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
