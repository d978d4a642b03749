package interop;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Security;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import java.util.Map;

import javax.smartcardio.CardTerminal;
import javax.smartcardio.TerminalFactory;

import org.bouncycastle.asn1.x509.Certificate;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.jmrtd.BACKey;
import org.jmrtd.PACEKeySpec;
import org.jmrtd.PassportService;
import org.jmrtd.lds.CardAccessFile;
import org.jmrtd.lds.PACEInfo;
import org.jmrtd.lds.SODFile;
import org.jmrtd.lds.SecurityInfo;

/**
 * Reads DG1, DG2, DG13 and SOD with JMRTD over PC/SC and prints what it saw as one JSON line.
 * usage: READER bac|pace-mrz|pace-can DOCUMENT_NUMBER BIRTH(yymmdd) EXPIRY(yymmdd) CAN CSCA.der
 */
public final class ReadWithJmrtd {
    public static void main(String[] args) throws Exception {
        Security.insertProviderAt(new BouncyCastleProvider(), 1);
        String reader = args[0], mode = args[1];
        CardTerminal terminal = TerminalFactory.getDefault().terminals().getTerminal(reader);
        if (terminal == null) {
            throw new IllegalArgumentException("no reader named " + reader);
        }
        PassportService service = new PassportService(new PcscCardService(terminal),
            PassportService.NORMAL_MAX_TRANCEIVE_LENGTH, PassportService.DEFAULT_MAX_BLOCKSIZE, false, true);
        service.open();
        BACKey mrz = new BACKey(args[2], args[3], args[4]);
        if (mode.equals("bac")) {
            service.sendSelectApplet(false);
            service.doBAC(mrz);
        } else {
            CardAccessFile access = new CardAccessFile(service.getInputStream(PassportService.EF_CARD_ACCESS));
            PACEKeySpec key = mode.equals("pace-mrz") ? PACEKeySpec.createMRZKey(mrz) : PACEKeySpec.createCANKey(args[5]);
            boolean done = false;
            for (SecurityInfo info : access.getSecurityInfos()) {
                if (info instanceof PACEInfo pace && !done) {
                    service.doPACE(key, pace.getObjectIdentifier(), PACEInfo.toParameterSpec(pace.getParameterId()), pace.getParameterId());
                    done = true;
                }
            }
            if (!done) {
                throw new IllegalStateException("EF.CardAccess offers no PACE");
            }
            service.sendSelectApplet(true);
        }
        byte[] dg1 = read(service, PassportService.EF_DG1);
        byte[] dg2 = read(service, PassportService.EF_DG2);
        byte[] dg13 = read(service, PassportService.EF_DG13);
        byte[] sod = read(service, PassportService.EF_SOD);
        boolean authentic = authentic(sod, Map.of(1, dg1, 2, dg2, 13, dg13), Path.of(args[6]));
        System.out.printf("{\"program\":\"JMRTD\",\"mode\":\"%s\",\"dg1\":\"%s\",\"dg2\":\"%s\",\"dg13\":\"%s\",\"sod\":\"%s\",\"authentic\":%s}%n",
            mode, digest(dg1), digest(dg2), digest(dg13), digest(sod), authentic);
        service.close();
    }

    private static byte[] read(PassportService service, short file) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (InputStream in = service.getInputStream(file)) {
            in.transferTo(out);
        }
        return out.toByteArray();
    }

    /** Passive authentication with JMRTD's SODFile and Bouncy Castle: hashes, signature, chain. */
    private static boolean authentic(byte[] raw, Map<Integer, byte[]> groups, Path csca) throws Exception {
        SODFile sod = new SODFile(new ByteArrayInputStream(raw));
        MessageDigest hash = MessageDigest.getInstance(sod.getDigestAlgorithm());
        for (Map.Entry<Integer, byte[]> group : groups.entrySet()) {
            if (!MessageDigest.isEqual(hash.digest(group.getValue()), sod.getDataGroupHashes().get(group.getKey()))) {
                return false;
            }
        }
        byte[] contentInfo = value(raw);
        CMSSignedData signed = new CMSSignedData(contentInfo);
        SignerInformation signer = signed.getSignerInfos().iterator().next();
        Certificate issuer = Certificate.getInstance(Files.readAllBytes(csca));
        PublicKey issuerKey = KeyFactory.getInstance("EC", "BC")
            .generatePublic(new X509EncodedKeySpec(issuer.getSubjectPublicKeyInfo().getEncoded()));
        sod.getDocSigningCertificate().verify(issuerKey, "BC");
        PublicKey signerKey = KeyFactory.getInstance("EC", "BC")
            .generatePublic(new X509EncodedKeySpec(sod.getDocSigningCertificate().getPublicKey().getEncoded()));
        return signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(signerKey));
    }

    /** The value field of tag 77. */
    private static byte[] value(byte[] file) {
        int length = file[1] & 0xff, at = 2;
        if (length > 0x80) {
            int count = length & 0x7f;
            length = 0;
            for (int i = 0; i < count; i++) {
                length = length << 8 | file[at++] & 0xff;
            }
        }
        return java.util.Arrays.copyOfRange(file, at, at + length);
    }

    private static String digest(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }
}
