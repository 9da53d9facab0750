import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("every test that docs/security.md names for a guarantee is there", () => {
	const page = readFileSync(new URL("../../../../docs/security.md", import.meta.url), "utf8");
	const named = [...page.matchAll(/`((?:escape\/|isolation\/)?[a-z]+\.test\.ts)`\s+"([^"]+)"/g)];
	expect(named.length).toBeGreaterThan(20);
	for (const [, file = "", name = ""] of named) {
		expect([file, name, readFileSync(new URL(`../${file}`, import.meta.url), "utf8").includes(name)]).toEqual([
			file,
			name,
			true,
		]);
	}
	for (let number = 1; number <= 11; number++) expect(page).toContain(`\n| ${number}. `);
});
