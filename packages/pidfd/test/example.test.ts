import { testExample } from "../../../test/example.ts";
import { needs } from "../../../test/needs.ts";

testExample(import.meta.url, needs("Linux 6.13").test); // for `info`
