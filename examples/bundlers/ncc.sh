ncc build main.mjs --out out --external @nearfar/core --external @nearfar/process
