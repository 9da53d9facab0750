import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Task } from "@nearfar/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { needs, skipUnless } from "../../../test/needs.ts";
import { formatText, parseText } from "../src/capability-text.ts";
import { CapabilitySet, capget, formatCapabilities, parseCapabilities } from "../src/index.ts";
import { bits, randomSets, randomTexts, type Sets, show } from "./libcap.ts";
import { capset, sets } from "./task.ts";

/** What libcap answered: the sets of each text, and the text of each three sets. */
interface Answers {
	parse: Record<string, string>;
	format: Record<string, string>;
}

const recorded = fileURLToPath(new URL("libcap.json", import.meta.url));
const source = fileURLToPath(new URL("libcap.c", import.meta.url));
const table = JSON.parse(readFileSync(recorded, "utf8")) as Record<string, Answers>;
/** A kernel that is older than the names of this library, one as old, one newer, and one with all 64 capabilities. */
const lasts = [36, 40, 41, 63];

test("texts are read and written as libcap 2.66 did when the table was recorded", () => {
	expect(Object.keys(table)).toEqual(lasts.map(String));
	for (const [last, { parse, format }] of Object.entries(table)) {
		expect(Object.keys(parse).length).toBeGreaterThan(150);
		expect(Object.keys(format).length).toBeGreaterThan(50);
		expectEqualAnswers(Number(last), { parse, format });
	}
});

const live = needs("the program cc", "the headers of libcap 2.66");

live.describe("compared with the libcap of this machine", () => {
	let program = "";
	/** How this libcap writes the first capability that has no name in the library. With a name the answers would differ. */
	let unnamed = "41";
	const skipIfNewer = () => skipUnless(unnamed === "41", `a libcap without the name ${unnamed}`);

	beforeAll(() => {
		program = join(mkdtempSync(join(tmpdir(), "nearfar-libcap-")), "libcap");
		execFileSync("cc", ["-o", program, source, "-lcap"]);
		[unnamed = ""] = ask(40, ["41"]);
	});
	afterAll(() => rmSync(dirname(program), { recursive: true }));

	// The questions are those of the table. `vitest --update` records the answers anew, also those of new questions.
	test("the recorded table", async () => {
		skipIfNewer();
		const anew = Object.entries(table).map(([last, { parse, format }]) => [
			last,
			answers(Number(last), Object.keys(parse), Object.keys(format)),
		]);
		await expect(`${JSON.stringify(Object.fromEntries(anew), undefined, "\t")}\n`).toMatchFileSnapshot(recorded);
	});

	const kernels = new Set([...lasts, 0, 31, 32, 62, lastOfKernel()]);
	test.for([...kernels])("thousands of texts and sets, where the kernel's last is %s", (last) => {
		skipIfNewer();
		const [asked, written] = [randomTexts(1000 + last, 3000), randomSets(2000 + last, 1500).map(show)];
		const { parse, format } = answers(last, asked, written);
		expect(Object.values(parse).filter((answer) => answer !== "refused").length).toBeGreaterThan(500);
		expectEqualAnswers(last, { parse, format });
	});

	function answers(last: number, texts: string[], sets: string[]): Answers {
		const questions = texts.map((text) => `parse ${Buffer.from(text).toString("hex")}`);
		const lines = ask(last, [...questions, ...sets.map((each) => `format ${each}`)]);
		return {
			parse: Object.fromEntries(texts.map((text, index) => [text, lines[index] ?? ""])),
			format: Object.fromEntries(sets.map((each, index) => [each, lines[texts.length + index] ?? ""])),
		};
	}

	function ask(last: number, questions: string[]): string[] {
		const env = { ...process.env, LAST_CAPABILITY: String(last) };
		const input = `${questions.join("\n")}\n`;
		return execFileSync(program, { env, input, encoding: "utf8", maxBuffer: 2 ** 26 }).split("\n");
	}
});

needs("the program capsh").test("toText writes the names that `capsh --decode` shows", () => {
	const all = CapabilitySet.all();
	const asked = randomSets(3, 60)
		.flat()
		.map((bits) => CapabilitySet.from(bits))
		.filter((set) => set.difference(all).bits === 0n && !set.equals(all));
	const options = asked.map(({ bits }) => `--decode=${bits.toString(16)}`);
	const shown = execFileSync("capsh", options, { encoding: "utf8" });
	const lines = asked.map((set) => `0x${set.bits.toString(16).padStart(16, "0")}=${set.toText()}\n`);
	expect(shown).toBe(lines.join(""));
	expect(asked.length).toBeGreaterThan(50);
});

needs("the program getpcaps").test("formatCapabilities writes what `getpcaps` shows of a task", async () => {
	const all = CapabilitySet.all().bits;
	for (const [effective, permitted, inheritable] of [[all, all, 0n] as Sets, ...randomSets(4, 15)]) {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		// Only a task with CAP_SETPCAP makes anything inheritable, so that comes first.
		capset(task, all, all, inheritable & all);
		capset(task, effective & permitted & all, permitted & all, inheritable & all);
		const [, text = ""] = /^\d+: (.*)\n$/.exec(execFileSync("getpcaps", [`${task.pid}`], { encoding: "utf8" })) ?? [];
		expect(formatCapabilities(capget(task.pid))).toBe(text);
		expect(bits(parseCapabilities(text))).toEqual(bits(task.run(capget)));
	}
});

needs("root", "the program setcap", "the program getcap").test("getcap shows what formatCapabilities wrote", () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-getcap-"));
	try {
		const file = join(folder, "program");
		writeFileSync(file, "");
		for (const [permitted, inheritable] of randomSets(5, 20)) {
			// The effective set of a file is one bit for all.
			const text = formatCapabilities({
				effective: CapabilitySet.from(permitted | inheritable),
				permitted: CapabilitySet.from(permitted),
				inheritable: CapabilitySet.from(inheritable),
			});
			execFileSync("setcap", [text, file]);
			const shown = execFileSync("getcap", [file], { encoding: "utf8" });
			expect(shown).toBe(`${file} ${text}\n`);
		}
	} finally {
		rmSync(folder, { recursive: true });
	}
});

needs("the program setpriv").test("a list of `setpriv --dump` is read as the bounding set that it shows", () => {
	const shown = execFileSync("setpriv", ["--dump"], { encoding: "utf8" });
	const [, list = ""] = /^Capability bounding set: (.*)$/m.exec(shown) ?? [];
	const text = list === "[none]" ? "" : list.replace(/^|,/g, "$&cap_");
	expect(CapabilitySet.parse(text).bits).toBe(sets("self").Bnd);
});

function expectEqualAnswers(last: number, { parse, format }: Answers): void {
	expect(Object.fromEntries(Object.keys(parse).map((text) => [text, read(text, last)]))).toEqual(parse);
	expect(Object.fromEntries(Object.keys(format).map((sets) => [sets, write(sets, last)]))).toEqual(format);
}

function lastOfKernel(): number {
	return CapabilitySet.all().bits.toString(2).length - 1;
}

function read(text: string, last: number): string {
	try {
		return show(bits(parseText(text, last)));
	} catch (error) {
		expect(error).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
		return "refused";
	}
}

function write(sets: string, last: number): string {
	const [e = 0n, p = 0n, i = 0n] = sets.split(" ").map((set) => BigInt(`0x${set}`));
	return formatText({ e, p, i }, last);
}
