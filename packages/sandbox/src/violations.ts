/** Something that a program of a sandbox did, and that a caller may want to know. */
export interface Violation {
	/**
	 * `"connect"`: the proxy has refused a connection. `"appeared"`: a file is there that is protected or hidden, and was missing.
	 * `"limit"`: a limit has ended a command, or the proxy has as many connections as it takes.
	 */
	readonly kind: "connect" | "appeared" | "limit";
	/** The host with its port, the path, or the name of the limit. */
	readonly what: string;
	/** Milliseconds since 1970. */
	readonly at: number;
}

const MOST = 1000;

/** The violations of a sandbox: a list that grows until the sandbox is closed. After 1000 there is one more, with a count. */
export class Violations implements AsyncIterable<Violation> {
	readonly #list: Violation[] = [];
	#dropped = 0;
	#closed = false;
	#waiting: (() => void)[] = [];

	/** The number of violations so far. */
	get length(): number {
		return this.#list.length;
	}

	add(kind: Violation["kind"], what: string): void {
		if (this.#list.length < MOST) this.#list.push({ kind, what, at: Date.now() });
		else this.#dropped++;
		this.#wake();
	}

	/** Returns the violations from a number on, and what was dropped. */
	since(first: number): Violation[] {
		const last =
			this.#dropped > 0 ? [{ kind: "limit", what: `violations: ${this.#dropped} more`, at: Date.now() } as const] : [];
		return [...this.#list.slice(first), ...last];
	}

	/** Ends every loop over the violations. */
	close(): void {
		this.#closed = true;
		this.#wake();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Violation, void> {
		let next = 0;
		for (;;) {
			for (; next < this.#list.length; next++) yield this.#list[next] as Violation;
			if (this.#closed) break;
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
		yield* this.since(next);
	}

	#wake(): void {
		for (const resolve of this.#waiting.splice(0)) resolve();
	}
}
