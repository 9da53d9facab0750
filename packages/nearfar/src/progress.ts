import { isTerminal, writeAll } from "./print.ts";

const PATIENCE = 1000; // milliseconds

/** A line on the standard error that says what takes long, where that is a terminal. */
export class Progress {
	#timer: NodeJS.Timeout | undefined;
	#shown = false;

	/** Shows a line if `end` is not called within a second. */
	begin(what: string): void {
		this.#timer = setTimeout(() => {
			if (!isTerminal(2)) return;
			this.#shown = true;
			writeAll(2, `nearfar: ${what} …`);
		}, PATIENCE);
	}

	/** Removes the line. */
	end(): void {
		clearTimeout(this.#timer);
		if (this.#shown) writeAll(2, "\r\x1b[K");
		this.#shown = false;
	}
}
