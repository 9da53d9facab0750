import { writeFileSync } from "node:fs";
import type { Row } from "./rows.ts";

/** What the attempts have come to outside, inside, and inside without a filter. */
export interface Found {
	readonly outside: Record<string, string>;
	readonly inside: Record<string, string>;
	readonly unfiltered: Record<string, string>;
}

/** Writes the table of all attempts into the file that `NEARFAR_ESCAPE_TABLE` names, in Markdown. */
export function showTable(rows: readonly Row[], { outside, inside, unfiltered }: Found): void {
	const file = process.env.NEARFAR_ESCAPE_TABLE;
	if (file === undefined) return;
	const lines = rows.map(({ attempt, guarantee, cases = "" }) =>
		[guarantee, attempt.replaceAll("_", " "), cases, outside[attempt], inside[attempt], unfiltered[attempt]].join(
			" | ",
		),
	);
	const head = [
		'guarantee | attempt | cases | outside | inside | inside, `syscalls: "all"`',
		"--- | --- | --- | --- | --- | ---",
	];
	writeFileSync(file, [...head, ...lines].map((line) => `| ${line} |\n`).join(""));
}
