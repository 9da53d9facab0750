import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program of this folder that runs in a Node of its own. */
export interface Forked {
	/** Has the program measure, and resolves with the number that it reports. */
	ask(question?: object | string): Promise<number>;
	/** Ends the program. */
	end(): Promise<void>;
}

/** Starts a program of this folder. Resolves when the program is ready to measure. */
export function forked(program: string, ...args: (string | number)[]): Promise<Forked> {
	return ready(program, fork(pathOf(program), args.map(String)));
}

/** Starts a program of this folder in a mount namespace of its own, in which this user may mount. */
export function forkedWithMounts(program: string): Promise<Forked> {
	const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
	return ready(
		program,
		fork(pathOf(program), [], { execPath: "unshare", execArgv: [...user, "--mount", process.execPath] }),
	);
}

function pathOf(program: string): string {
	return fileURLToPath(new URL(`${program}.js`, import.meta.url));
}

async function ready(program: string, node: ChildProcess): Promise<Forked> {
	const answer = async () => {
		const ended = new AbortController();
		const [value] = await Promise.race([
			once(node, "message", { signal: ended.signal }),
			once(node, "exit", { signal: ended.signal }).then(([code]) => {
				throw new Error(`${program} exited with ${code}`);
			}),
		]);
		ended.abort();
		return value as number;
	};
	await answer();
	return {
		ask(question = "measure") {
			node.send(question);
			return answer();
		},
		async end() {
			node.disconnect();
			await once(node, "exit");
		},
	};
}
