import type { Buffer } from "node:buffer";

/** A message of the kernel in the log of a file system context. */
export interface LogMessage {
	/** How grave the message is. */
	level: "error" | "warning" | "info";
	/** The message, without the letter of its level and without the newline at its end. */
	text: string;
}

const levels = { e: "error", w: "warning", i: "info" } as const;

/** Returns the messages of a file system context, which begin with a letter for their level and a blank. */
export function logLines(log: readonly Buffer[] = []): LogMessage[] {
	return log.map((bytes) => {
		const [, letter, text = ""] = /^(?:([ewi]) )?(.*?)\n?$/s.exec(bytes.toString()) ?? [];
		return { level: levels[letter as keyof typeof levels] ?? "error", text };
	});
}
