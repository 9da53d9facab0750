import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Tests the example of a package, from a test file of it: `import.meta.url`. */
export function testExample(from: string): void {
	const place = (path: string) => fileURLToPath(new URL(path, from));
	const text = (path: string) => readFileSync(place(path), "utf8");

	test("examples/first.ts runs, and what it asserts is so", async () => {
		await import(/* @vite-ignore */ place("../examples/first.ts"));
	});

	test("the README shows it as it is", () => {
		const example = `## Example\n\n\`\`\`ts\n${text("../examples/first.ts")}\`\`\`\n\n## Semantics`;
		expect(text("../README.md")).toContain(example);
	});
}
