import type { Duplex } from "node:stream";
import { limitOfTest } from "../../../../test/limit.ts";

/** What a terminal has shown, for a test that types and waits for the answer. */
export class Screen {
	/** Everything since the last {@link until}. */
	text = "";
	readonly #pty: Duplex;
	#changed = () => {};

	constructor(pty: Duplex | undefined) {
		if (!pty) throw new Error("the command has no terminal");
		this.#pty = pty;
		pty.setEncoding("utf8");
		pty.on("data", (text: string) => {
			this.text += text;
			this.#changed();
		});
		for (const event of ["end", "close"]) pty.on(event, () => this.#changed());
	}

	type(keys: string): this {
		this.#pty.write(keys);
		return this;
	}

	/** Waits until the terminal has shown a text. Returns what came before it, and forgets both. */
	async until(text: string): Promise<string> {
		const deadline = setTimeout(() => this.#pty.destroy(), limitOfTest());
		try {
			while (!this.text.includes(text)) {
				if (this.#pty.readableEnded || this.#pty.destroyed) {
					throw new Error(`the terminal has shown ${JSON.stringify(this.text)}, and no ${JSON.stringify(text)}`);
				}
				await new Promise<void>((resolve) => {
					this.#changed = resolve;
				});
			}
		} finally {
			clearTimeout(deadline);
		}
		const at = this.text.indexOf(text);
		const before = this.text.slice(0, at);
		this.text = this.text.slice(at + text.length);
		return before;
	}
}
