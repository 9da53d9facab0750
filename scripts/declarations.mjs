// Makes the declarations in `dist` readable for every type checker. The sources import "./x.ts", and tsc writes the same
// specifier into a declaration. TypeScript 5 takes it for "./x.d.ts" there, Deno for a file that does not exist.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Replaces each "./x.ts" in the declarations of a folder by "./x.js", which every checker of TypeScript takes for
 * "./x.d.ts". Deno takes it for a file of JavaScript, and the bundle has no such file: hence the comment that names the
 * declaration to Deno. The comment stands on the line of the import, because declaration maps count lines.
 */
export function rewriteDeclarations(folder) {
	for (const file of declarationsOf(folder)) {
		const text = readFileSync(file, "utf8");
		const rewritten = text.replace(
			/^((?:import|export) (?:.* from )?)"(\.\.?\/.*)\.[tj]s";$/gm,
			'/* @ts-types="$2.d.ts" */ $1"$2.js";',
		);
		if (rewritten !== text) writeFileSync(file, rewritten);
	}
}

/** Returns the imports of TypeScript sources in the declarations of a folder, as "file: import". */
export function sourceImportsOf(folder) {
	return declarationsOf(folder).flatMap((file) =>
		readFileSync(file, "utf8")
			.split("\n")
			.filter((line) => !/^\s*\*/.test(line)) // examples
			.filter((line) => /(from |import |import\()"\.[^"]*(?<!\.d)\.ts"/.test(line))
			.map((line) => `${file}: ${line}`),
	);
}

function declarationsOf(folder) {
	return readdirSync(folder, { recursive: true })
		.filter((name) => name.endsWith(".d.ts"))
		.map((name) => join(folder, name));
}
