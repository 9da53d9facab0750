import { constants } from "node:os";
import type { Signal, Started } from "@nearfar/sandbox";
import { complain, isTerminal } from "./print.ts";

/** The signals that are passed on. SIGTSTP is none of them: it stops this process, and the command goes on. */
const passed = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH"] as const;
/** Those of them that end a process which has not begun. */
const ending: readonly string[] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"];

const PATIENCE = 1000; // milliseconds

/** Returns the number of a signal. */
export function numberOf(signal: Signal | null): number {
	return typeof signal === "number" ? signal : constants.signals[signal ?? "SIGKILL"];
}

/** Passes the signals of this process on to the command. The command is in a session of its own, and gets none from a terminal. */
export class Signals {
	readonly #early = new AbortController();
	#first: NodeJS.Signals | undefined;
	#interrupts = 0;
	#child: Started | undefined;
	readonly #take = (signal: NodeJS.Signals) => this.#pass(signal);

	constructor() {
		for (const signal of passed) process.on(signal, this.#take);
	}

	/** Aborted by a signal that comes before the command. */
	get early(): AbortSignal {
		return this.#early.signal;
	}

	/** The signal that came before the command, if one did. */
	get first(): NodeJS.Signals | undefined {
		return this.#first;
	}

	/** From now on signals go to the command. */
	passTo(child: Started): void {
		this.#child = child;
	}

	/** Signals have their usual effect again. */
	end(): void {
		for (const signal of passed) process.off(signal, this.#take);
	}

	#pass(signal: NodeJS.Signals): void {
		if (!this.#child) {
			if (!ending.includes(signal)) return;
			this.#first ??= signal;
			this.#early.abort();
			return;
		}
		if (this.#child.death) return;
		if (signal === "SIGINT") this.#interrupts++;
		const isSecond = signal === "SIGINT" && this.#interrupts > 1;
		this.#child.kill(isSecond ? "SIGKILL" : signal);
		if (signal === "SIGINT" && !isSecond) setTimeout(() => this.#remind(), PATIENCE).unref();
	}

	#remind(): void {
		if (this.#child && !this.#child.death && this.#interrupts === 1 && isTerminal(2))
			complain("the command goes on; Ctrl-C again kills it");
	}
}
