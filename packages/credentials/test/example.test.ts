import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

test("the example of the README runs, and what it asserts is so", async () => {
	await import("../examples/first.ts");
});

test("the README shows it as it is", () => {
	expect(read("../README.md")).toContain(
		`## Example\n\n\`\`\`ts\n${read("../examples/first.ts")}\`\`\`\n\n## Semantics`,
	);
});
