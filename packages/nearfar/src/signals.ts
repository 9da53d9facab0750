import { constants } from "node:os";
import type { Signal, Started } from "@nearfar/sandbox";
import { complain, isTerminal } from "./print.ts";

/** The signals that are passed on. SIGTSTP is none of them: it stops this process, and the command goes on. */
const passed = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH"] as const;
const PATIENCE = 1000; // milliseconds

/** Returns the number of a signal. */
export function numberOf(signal: Signal | null): number {
	return typeof signal === "number" ? signal : constants.signals[signal ?? "SIGKILL"];
}

/** Passes the signals of this process on to the command. The command is in a session of its own, and gets none from a terminal. */
export class Signals {
	readonly #abort = new AbortController();
	/** What has come before the command, in this order. */
	readonly #early: NodeJS.Signals[] = [];
	#interrupts = 0;
	#child: Started | undefined;
	readonly #take = (signal: NodeJS.Signals) => this.#pass(signal);

	constructor() {
		for (const signal of passed) process.on(signal, this.#take);
	}

	/** Aborted by the second SIGINT where there is no command yet. */
	get aborted(): AbortSignal {
		return this.#abort.signal;
	}

	/** From now on signals go to the command, which gets those that have come before. */
	passTo(child: Started): void {
		this.#child = child;
		for (const signal of this.#early.splice(0)) this.#send(signal);
	}

	/** Signals have their usual effect again. */
	end(): void {
		for (const signal of passed) process.off(signal, this.#take);
	}

	#pass(signal: NodeJS.Signals): void {
		const isSecond = signal === "SIGINT" && ++this.#interrupts > 1;
		if (!this.#child) {
			this.#early.push(signal);
			if (isSecond) this.#abort.abort();
			return;
		}
		this.#send(isSecond ? "SIGKILL" : signal);
		if (this.#interrupts === 1 && signal === "SIGINT") setTimeout(() => this.#remind(), PATIENCE).unref();
	}

	#send(signal: NodeJS.Signals): void {
		if (this.#child && !this.#child.death) this.#child.kill(signal);
	}

	#remind(): void {
		if (this.#child && !this.#child.death && this.#interrupts === 1 && isTerminal(2))
			complain("the command goes on; Ctrl-C again kills it");
	}
}
