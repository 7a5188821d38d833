// SPDX-License-Identifier: Apache-2.0
// A TLS server with the key store and the certificate of two paths; it reads the key's PEM of a third one too, twice.
import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

public final class Reader {
    public static void main(String[] words) throws Exception {
        char[] password = words[3].toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(words[0])) {
            store.load(in, password);
        }
        try (FileInputStream in = new FileInputStream(words[1])) {
            CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        for (int i = 0; i < 2; i++) {
            if (!Files.readString(Path.of(words[2])).contains("PRIVATE KEY")) {
                throw new IllegalStateException("no key");
            }
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        try (var server = context.getServerSocketFactory().createServerSocket(Integer.parseInt(words[4]))) {
            while (true) {
                try (var client = server.accept()) {
                    client.getInputStream().read();
                } catch (java.io.IOException why) {
                    System.err.println(why);
                }
            }
        }
    }
}
