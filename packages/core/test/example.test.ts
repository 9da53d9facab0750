import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { expectNoLeaks } from "./leaks.ts";

expectNoLeaks();

const text = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

test("examples/first.ts runs, and what it asserts is so", async () => {
	await import("../examples/first.ts");
});

test("the README shows it as it is", () => {
	const example = `## Example\n\n\`\`\`ts\n${text("../examples/first.ts")}\`\`\`\n\n## Semantics`;
	expect(text("../README.md")).toContain(example);
});
