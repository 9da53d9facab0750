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

/** A moment in the list of violations. */
export interface Mark {
	readonly length: number;
	readonly dropped: number;
}

/** The violations of a sandbox: a list that grows until the sandbox is closed. After 1000 there is one more, with a count. */
export class Violations implements AsyncIterable<Violation> {
	readonly #list: Violation[] = [];
	#dropped = 0;
	#closed = false;
	#waiting: (() => void)[] = [];

	/** How many violations there are so far, and how many were dropped. */
	get mark(): Mark {
		return { length: this.#list.length, dropped: this.#dropped };
	}

	add(kind: Violation["kind"], what: string): void {
		if (this.#list.length < MOST) this.#list.push({ kind, what, at: Date.now() });
		else this.#dropped++;
		this.#wake();
	}

	/** Returns the violations since a mark, and how many were dropped since then. */
	since({ length, dropped }: Mark): Violation[] {
		const more = this.#dropped - dropped;
		const last = more > 0 ? [{ kind: "limit", what: `violations: ${more} more`, at: Date.now() } as const] : [];
		return [...this.#list.slice(length), ...last];
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
		yield* this.since({ length: next, dropped: 0 });
	}

	#wake(): void {
		for (const resolve of this.#waiting.splice(0)) resolve();
	}
}
