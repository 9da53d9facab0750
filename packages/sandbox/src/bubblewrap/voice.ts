import { writeSync } from "node:fs";

/** Says things on standard error, as bubblewrap does. */
export class Voice {
	/** Whether each line begins with its level, as for syslog(3). */
	levels = false;

	fail(text: string): void {
		this.#say(3, text);
	}

	warn(text: string): void {
		this.#say(4, text);
	}

	#say(level: number, text: string): void {
		writeSync(2, `${this.levels ? `<${level}>` : ""}bwrap: ${text}\n`);
	}
}
