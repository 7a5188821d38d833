// SPDX-License-Identifier: Apache-2.0
//
// The Java server of the runtimes suite: HTTP on 8080 and TLS on 8443. Each path does one kind of thing that
// services do, and answers "ok" or 500 with the reason. A shutdown hook runs on SIGTERM; the exit code is then
// Java's own, 143. Must not start programs: it runs under an exec budget of 1.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

public class Server {
    static final int PORT = 8080;
    static final int TLS_PORT = 8443;

    interface Work {
        void run() throws Exception;
    }

    static final Map<String, Work> PATHS = Map.of(
            "/files", Server::files, "/threads", Server::threads, "/names", Server::names,
            "/timers", Server::timers, "/sockets", Server::sockets, "/runtime", Server::runtime);

    static void expect(boolean condition, String what) {
        if (!condition) {
            throw new IllegalStateException(what);
        }
    }

    static void removeAll(Path folder) throws IOException {
        try (Stream<Path> inside = Files.list(folder)) {
            for (Path path : inside.toList()) {
                Files.delete(path);
            }
        }
        Files.delete(folder);
    }

    static void files() throws Exception {
        Path folder = Files.createTempDirectory(Path.of("/tmp"), "java-");
        Path fresh = folder.resolve("new");
        Path old = folder.resolve("old");
        try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap("record\n".repeat(10000).getBytes()));
            channel.force(true);
            channel.truncate(700);
            channel.lock().release();
        }
        Files.move(fresh, old, StandardCopyOption.ATOMIC_MOVE);
        Files.setPosixFilePermissions(old, PosixFilePermissions.fromString("rw-------"));
        Files.copy(old, fresh);
        Files.createSymbolicLink(folder.resolve("link"), Path.of("old"));
        try (FileChannel channel = FileChannel.open(folder.resolve("link"))) {
            ByteBuffer view = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            expect(view.capacity() == 700 && view.get(0) == 'r', "the file is another one");
        }
        removeAll(folder);
    }

    static void threads() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Callable<Integer>> work = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            int n = i;
            work.add(() -> {
                Thread.sleep(1);
                return n * n;
            });
        }
        int sum = 0;
        for (Future<Integer> square : pool.invokeAll(work)) {
            sum += square.get();
        }
        pool.shutdown();
        expect(pool.awaitTermination(10, TimeUnit.SECONDS), "the pool does not end");
        expect(sum == 328350, "sum " + sum);
        Thread urgent = new Thread(() -> { });
        urgent.setPriority(Thread.MAX_PRIORITY);
        urgent.start();
        urgent.join();
    }

    static void names() throws Exception {
        expect(InetAddress.getByName("localhost").isLoopbackAddress(), "localhost is elsewhere");
        try {
            InetAddress.getByName("no-such-host-" + System.nanoTime() + ".invalid");
        } catch (UnknownHostException expected) {
            return;
        }
        throw new IllegalStateException("a name that cannot exist was found");
    }

    static void timers() throws Exception {
        ScheduledExecutorService clock = Executors.newScheduledThreadPool(1);
        long began = System.nanoTime();
        clock.schedule(() -> { }, 20, TimeUnit.MILLISECONDS).get();
        clock.shutdownNow();
        expect(System.nanoTime() - began >= 20_000_000, "too early");
    }

    static void sockets() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + PORT + "/hello")).build();
        String answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        expect(answer.equals("hello\n"), answer);
        Path folder = Files.createTempDirectory(Path.of("/tmp"), "java-");
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("socket"));
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(address);
                SocketChannel client = SocketChannel.open(address); SocketChannel server = listener.accept()) {
            client.write(ByteBuffer.wrap("unix".getBytes()));
            expect(server.read(ByteBuffer.allocate(16)) == 4, "not what was written");
        }
        removeAll(folder);
        try (DatagramSocket one = new DatagramSocket(0, InetAddress.getLoopbackAddress());
                DatagramSocket two = new DatagramSocket()) {
            two.send(new DatagramPacket("datagram".getBytes(), 8, one.getLocalSocketAddress()));
            DatagramPacket received = new DatagramPacket(new byte[16], 16);
            one.receive(received);
            expect(received.getLength() == 8, "not what was sent");
        }
    }

    /** Garbage, parallel streams, a watched folder, the machine's own numbers. */
    static void runtime() throws Exception {
        long sum = IntStream.range(0, 200_000).parallel().mapToObj(n -> new byte[64 + n % 512])
                .mapToLong(block -> block.length).sum();
        expect(sum > 0, "no garbage");
        System.gc();
        Path folder = Files.createTempDirectory(Path.of("/tmp"), "java-");
        try (var watcher = folder.getFileSystem().newWatchService()) {
            folder.register(watcher, StandardWatchEventKinds.ENTRY_CREATE);
            Files.writeString(folder.resolve("file"), "x");
            expect(watcher.poll(10, TimeUnit.SECONDS) != null, "no change seen");
        }
        removeAll(folder);
        expect(NetworkInterface.networkInterfaces().count() > 0, "no interfaces");
        expect(ManagementFactory.getOperatingSystemMXBean().getAvailableProcessors() > 0, "no processors");
        expect(ManagementFactory.getThreadMXBean().getThreadCount() > 0, "no threads");
        expect(ProcessHandle.current().pid() > 0, "no process");
        new SecureRandom().nextBytes(new byte[32]);
    }

    static SSLContext tls() throws Exception {
        Certificate certificate;
        try (InputStream in = Files.newInputStream(Path.of("/app/tls.crt"))) {
            certificate = CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        String key = Files.readString(Path.of("/app/tls.key")).replaceAll("-----[A-Z ]+-----|\\s", "");
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(key));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("tls", KeyFactory.getInstance("EC").generatePrivate(spec), new char[0],
                new Certificate[] {certificate});
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(store, new char[0]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context;
    }

    static void handle(HttpExchange exchange) throws IOException {
        int code = 200;
        byte[] body = "ok".getBytes();
        String path = exchange.getRequestURI().getPath();
        try {
            if (exchange.getRequestMethod().equals("POST")) {
                body = exchange.getRequestBody().readAllBytes();
            } else if (path.equals("/hello")) {
                body = "hello\n".getBytes();
            } else {
                PATHS.get(path).run();
            }
        } catch (Exception why) {
            code = 500;
            body = why.toString().getBytes();
        }
        exchange.sendResponseHeaders(code, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] args) throws Exception {
        HttpServer plain = HttpServer.create(new InetSocketAddress(PORT), 64);
        HttpsServer secure = HttpsServer.create(new InetSocketAddress(TLS_PORT), 64);
        secure.setHttpsConfigurator(new HttpsConfigurator(tls()));
        for (HttpServer server : List.of(plain, secure)) {
            server.createContext("/", Server::handle);
            server.setExecutor(Executors.newCachedThreadPool());
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("stopping")));
        plain.start();
        secure.start();
        System.out.println("serving");
    }
}
