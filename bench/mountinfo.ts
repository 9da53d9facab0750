import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { mkdir, Task } from "@nearfar/core";
import { mount, parseMountinfo } from "@nearfar/mount";
import { spawn } from "@nearfar/process";
import { loop } from "./clock.ts";
import type { Row } from "./row.ts";

const MOUNTS = 1000;
const COUNT = 20;

/** Measures looking at a thousand mounts, which are in a mount namespace of their own and go away with it. */
export const lookAtMounts: Row[] = [
	{
		name: "mountinfo-1000",
		unit: "µs",
		peerName: "a regular expression for each line",
		bar: 1,
		async start() {
			await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
			await mountAThousand(task);
			const text = readFileSync(`/proc/${task.pid}/mountinfo`, "utf8");
			return {
				ours: () => loop(COUNT, () => void parseMountinfo(text)) / 1000,
				peer: () => loop(COUNT, () => void parseByExpression(text)) / 1000,
			};
		},
	},
	{
		name: "listmount-1000",
		unit: "µs",
		peerName: "readFileSync of mountinfo, parsed",
		bar: 3,
		async start() {
			const program = fileURLToPath(new URL("mounts-node.js", import.meta.url));
			const node = await spawn(process.execPath, [program], {
				namespaces: ["user", "mnt"],
				idMap: "root",
				stdio: ["pipe", "pipe", "inherit"],
				setup: mountAThousand,
			});
			const answers = createInterface(node.stdout)[Symbol.asyncIterator]();
			const ask = async (side: string) => {
				node.stdin.write(`${side}\n`);
				return Number((await answers.next()).value);
			};
			return {
				ours: () => ask("ours"),
				peer: () => ask("peer"),
				async end() {
					node.stdin.end();
					await node.check();
				},
			};
		},
	},
];

/** Makes the mounts, in a tmpfs that hides a directory. */
async function mountAThousand(task: Task): Promise<void> {
	await task.batch(() => {
		mount("bench", "/mnt", "tmpfs");
		for (let index = 0; index < MOUNTS; index++) {
			const place = `/mnt/mount${index}`;
			mkdir(place);
			mount("bench", place, "tmpfs", { flags: ["nosuid", "nodev"], data: "size=1m,mode=755" });
		}
	});
}

const format = /^(\d+) (\d+) (\d+):(\d+) (\S+) (\S+) (\S+)((?: (?!- )\S+)*) - (\S+) (\S*) (.+)$/;

/** Makes the same objects, as programs without a parser do. */
function parseByExpression(text: string): object[] {
	return text.trimEnd().split("\n").map(parseLineByExpression);
}

function parseLineByExpression(line: string): object {
	const found = format.exec(line);
	if (!found) throw new Error(`not a line of mountinfo: ${line}`);
	const [, id, parent, major, minor, root = "", point = "", options = "", rest = "", fsType, source = "", more = ""] =
		found;
	const optional = rest.split(" ").slice(1);
	return {
		id: Number(id),
		parentId: Number(parent),
		dev: { major: Number(major), minor: Number(minor) },
		root: decode(root),
		mountPoint: decode(point),
		options: options.split(","),
		optional,
		peerGroup: optional.find((field) => field.startsWith("shared:"))?.slice(7),
		fsType,
		source: decode(source),
		superOptions: more.split(","),
	};
}

function decode(field: string): string {
	return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
