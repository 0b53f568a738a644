"""Reads TensorBoard event files by the formats' definitions alone (TFRecord framing, CRC-32C bit by bit, protobuf wire
format) and prints the events of each file as JSON. Ends with an error on a wrong CRC or a cut record."""
import hashlib
import json
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            yield number, varint()
            continue
        size = {1: 8, 5: 4}.get(wire) or varint()
        value = data[at : at + size]
        assert len(value) == size and wire in (1, 2, 5)
        at += size
        yield number, struct.unpack({1: "<d", 5: "<f"}[wire], value)[0] if wire in (1, 5) else value


def event(data):
    found = {"step": 0, "scalars": {}, "images": {}}
    for number, value in fields(data):
        if number == 1:
            found["wall"] = value
        elif number == 2:
            found["step"] = value
        elif number == 3:
            found["version"] = value.decode()
        elif number == 5:
            for _, summary in fields(value):
                parts = dict(fields(summary))
                tag = parts[1].decode()
                if 2 in parts:
                    found["scalars"][tag] = parts[2]
                if 4 in parts:
                    image = dict(fields(parts[4]))
                    sha256 = hashlib.sha256(image[4]).hexdigest()
                    found["images"][tag] = {"height": image[1], "width": image[2], "channels": image[3], "sha256": sha256}
    return found


def events(path):
    content = open(path, "rb").read()
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        (crc,) = struct.unpack_from("<I", content, at + 8)
        assert crc == masked(content[at : at + 8]), f"the CRC of the length at byte {at}"
        data = content[at + 12 : at + 12 + length]
        (crc,) = struct.unpack_from("<I", content, at + 12 + length)
        assert len(data) == length and crc == masked(data), f"the CRC of the record at byte {at}"
        yield event(data)
        at += 16 + length


json.dump([list(events(path)) for path in sys.argv[1:]], sys.stdout)
