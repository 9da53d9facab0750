// A Node of its own, whose threads a test changes. The test sends functions to that Node, and looks at it from outside.
import { type ChildProcess, spawn } from "node:child_process";
import { fixturePath } from "../../../../test/fixture.ts";
import { limitOfTest } from "../../../../test/limit.ts";
import { children, read } from "../../../../test/processes.ts";
import type { Refusal, Scope } from "./scope.ts";

/** Options for the start of a Node. */
export interface NodeOptions {
	/** The words before `node`: a program that executes Node, or starts it as a child. */
	wrapper?: readonly string[];
	/** Options of Node. */
	node?: readonly string[];
	env?: Record<string, string>;
	/** The milliseconds after which the Node is killed, so that no test hangs. Default: 5 s less than the test may take. */
	limit?: number;
}

interface Reply {
	id: number;
	value?: unknown;
	error?: Refusal;
}

/** How a Node has ended. */
export interface NodeEnd {
	code: number | null;
	signal: NodeJS.Signals | null;
	stderr: string;
}

export class NodeUnderTest {
	/** Resolves when the Node has ended. */
	readonly ended: Promise<NodeEnd>;
	readonly #child: ChildProcess;
	readonly #replies = new Map<number, (reply: Reply) => void>();
	#stderr = "";
	#last = 0;
	#pid: number | undefined;

	private constructor(child: ChildProcess, limit: number) {
		this.#child = child;
		child.stderr?.on("data", (chunk) => {
			this.#stderr += chunk;
		});
		child.on("message", (reply: Reply) => this.#reply(reply));
		const timer = setTimeout(() => this.#kill(`was killed after ${limit} ms`), limit);
		this.ended = new Promise((resolve, reject) => {
			child.once("error", reject);
			child.once("close", (code, signal) => {
				clearTimeout(timer);
				const error = { name: "Error", message: `this Node has ended: ${code ?? signal}\n${this.#stderr}` };
				for (const id of this.#replies.keys()) this.#reply({ id, error });
				resolve({ code, signal, stderr: this.#stderr });
			});
		});
	}

	/** Starts a Node. Resolves when it takes functions. */
	static async start(options: NodeOptions = {}): Promise<NodeUnderTest> {
		const { wrapper = [], node = [], env = {}, limit = limitOfTest() } = options;
		const [file = "", ...args] = [...wrapper, process.execPath, ...node, fixturePath("credentials/every-thread")];
		const stdio = ["ignore", "ignore", "pipe", "ipc"] as const;
		const started = new NodeUnderTest(spawn(file, args, { stdio: [...stdio], env: { ...process.env, ...env } }), limit);
		const { error } = await started.#answer(0);
		if (error) throw new Error(error.message);
		return started;
	}

	/** The pid of the Node, as the tests count. */
	get pid(): number {
		this.#pid ??= findNode(this.#child.pid ?? 0);
		return this.#pid;
	}

	/** Evaluates a function in the Node. The function may use its parameters and globals, and no variable around it. */
	async evaluate<Argument, Value>(
		fn: (scope: Scope, argument: Argument) => Value,
		argument?: Argument,
	): Promise<Awaited<Value>> {
		const { value, error } = await this.#answer(this.#send(`${fn}`, argument));
		if (error) throw Object.assign(new Error(error.message), error);
		return value as Awaited<Value>;
	}

	/** Evaluates a function as {@link evaluate} does. Returns what the function throws, or `undefined` after success. */
	async refusal<Argument>(
		fn: (scope: Scope, argument: Argument) => unknown,
		argument?: Argument,
	): Promise<Refusal | undefined> {
		return (await this.#answer(this.#send(`${fn}`, argument))).error;
	}

	/** Lets the Node end by itself, and resolves when it has. */
	async end(): Promise<NodeEnd> {
		if (this.#child.connected) this.#child.send({ end: true });
		return this.ended;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) this.#kill("was disposed of");
		await this.ended;
	}

	#send(code: string, argument: unknown): number {
		const id = ++this.#last;
		this.#child.send({ id, code, argument });
		return id;
	}

	#answer(id: number): Promise<Reply> {
		return new Promise((resolve) => this.#replies.set(id, resolve));
	}

	#reply(reply: Reply): void {
		this.#replies.get(reply.id)?.(reply);
		this.#replies.delete(reply.id);
	}

	#kill(why: string): void {
		this.#stderr += `this Node ${why}\n`;
		for (const pid of [findNode(this.#child.pid ?? 0), this.#child.pid]) {
			if (pid && read(`/proc/${pid}/stat`)) process.kill(pid, "SIGKILL");
		}
	}
}

/** Returns the pid of the Node that a wrapper has become or has started; that of the wrapper if there is none. */
function findNode(pid: number): number {
	const program = read(`/proc/${pid}/cmdline`).split("\0")[0];
	if (program === process.execPath) return pid;
	const [child] = children(pid);
	return child ? findNode(Number.parseInt(child, 10)) : pid;
}
