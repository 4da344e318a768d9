import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/** Reads every member of a zip and prints its CRC-32, length and name: with "file" by its directory, else as a stream. */
public final class ReadZip {
    private static final byte[] BUFFER = new byte[1 << 20];
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws IOException {
        Path archive = Path.of(arguments[1]);
        if (arguments[0].equals("file")) {
            byDirectory(archive);
        } else {
            asStream(archive);
        }
        OUT.flush();
    }

    private static void byDirectory(Path archive) throws IOException {
        try (ZipFile zip = new ZipFile(archive.toFile())) {
            for (Enumeration<? extends ZipEntry> entries = zip.entries(); entries.hasMoreElements();) {
                ZipEntry entry = entries.nextElement();
                try (InputStream content = zip.getInputStream(entry)) {
                    print(entry, content);
                }
            }
        }
    }

    private static void asStream(Path archive) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(archive))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                print(entry, zip);
            }
        }
    }

    private static void print(ZipEntry entry, InputStream content) throws IOException {
        CRC32 crc = new CRC32();
        long length = 0;
        for (int count = content.read(BUFFER); count >= 0; count = content.read(BUFFER)) {
            crc.update(BUFFER, 0, count);
            length += count;
        }
        OUT.println(crc.getValue() + " " + length + " " + entry.getName());
    }
}
