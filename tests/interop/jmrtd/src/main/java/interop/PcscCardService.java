package interop;

import javax.smartcardio.Card;
import javax.smartcardio.CardException;
import javax.smartcardio.CardTerminal;

import net.sf.scuba.smartcards.CardService;
import net.sf.scuba.smartcards.CardServiceException;
import net.sf.scuba.smartcards.CommandAPDU;
import net.sf.scuba.smartcards.ResponseAPDU;

/** The bridge from scuba's CardService to javax.smartcardio; scuba-sc-j2se is not published on Maven Central. */
final class PcscCardService extends CardService {
    private final CardTerminal terminal;
    private Card card;

    PcscCardService(CardTerminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void open() throws CardServiceException {
        try {
            card = terminal.connect("*");
        } catch (CardException e) {
            throw new CardServiceException("cannot connect", e);
        }
    }

    @Override
    public boolean isOpen() {
        return card != null;
    }

    @Override
    public ResponseAPDU transmit(CommandAPDU command) throws CardServiceException {
        try {
            return new ResponseAPDU(card.getBasicChannel().transmit(new javax.smartcardio.CommandAPDU(command.getBytes())).getBytes());
        } catch (CardException e) {
            throw new CardServiceException("cannot transmit", e);
        }
    }

    @Override
    public byte[] getATR() {
        return card.getATR().getBytes();
    }

    @Override
    public boolean isExtendedAPDULengthSupported() {
        return true;
    }

    @Override
    public void close() {
        try {
            card.disconnect(true);
        } catch (CardException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public boolean isConnectionLost(Exception e) {
        return false;
    }
}
