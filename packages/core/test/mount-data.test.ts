import { expect, test } from "vitest";
import { shownData } from "../src/target/mount-data.ts";

test.each([
	["size=1m,mode=700", "size=1m,mode=700"],
	["lowerdir=/a:/b,upperdir=/c", "lowerdir=/a:/b,upperdir=/c"],
	["user=me,password=hunter2,domain=d", "user=me,password=***,domain=d"],
	["password=hunter2", "password=***"],
	["pass=a,,b,ro", "pass=***,ro"],
	["password2=a\\,b,ro", "password2=***,ro"],
	['pass="a,b",ro', "pass=***,ro"],
	["PASSWORD=x", "PASSWORD=***"],
	["name=admin,secret=AQ==,ro", "name=admin,secret=***,ro"],
	["key=passphrase:passphrase_passwd=x,ro", "key=***,ro"],
	["sep=;password=hunter2;ro", "sep=;password=***"],
	["user=me%hunter2,ro", "user=me%***,ro"],
	["url=https://me:hunter2@host/x", "url=https://me:***@host/x"],
	["x".repeat(201), `${"x".repeat(200)}…`],
])("of the options %j a message shows no secret", (data, shown) => {
	expect(shownData(data)).toBe(shown);
});

test.each(["x", "pass", "user=", 'pass="', "//a:", "%", "a=b,"])(
	"a million times %j takes no time that grows faster",
	(part) => {
		expect(shownData(part.repeat(1_000_000))).toHaveLength(part.startsWith("pass=") ? 8 : 201);
	},
);
