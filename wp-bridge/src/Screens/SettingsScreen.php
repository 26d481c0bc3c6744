<?php
/**
 * The settings screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\ConstantConnect;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteIdentity;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Rest\AdminGate;

/** Prints its fields inside WooCommerce's form. It loads without a call to the service, and never prints the token or the secret. */
final class SettingsScreen {

	private const SCRIPT = 'tillsync-bridge-settings';

	public function __construct(
		private readonly SettingsFields $settings_fields,
		private readonly OutboxPause $pause,
		private readonly ConnectionStore $connections,
		private readonly ConstantConnect $constant_connect,
		private readonly CopyGuard $copy_guard
	) {}

	/** @param array{settings: array<string, bool|string>, statuses: string[]}|null $refused Values that the last Save did not store. */
	public function show( ?array $refused = null ): void {
		$this->enqueue();
		$connection = $this->connections->current();
		echo '<div class="tillsync-settings"><h2>Tillsync</h2>';
		wp_nonce_field( SettingsActions::NONCE, SettingsActions::FIELD, false );
		// WooCommerce may omit its own nonce when its button is hidden. This field has no id, because WooCommerce's may be there too.
		printf( '<input type="hidden" name="_wpnonce" value="%s">', esc_attr( wp_create_nonce( 'woocommerce-settings' ) ) );
		$flash = Flash::pop();
		if ( null !== $flash ) {
			$this->flash( $flash );
		}
		if ( null === $connection ) {
			$this->connect_form();
		} elseif ( $this->copy_guard->differs( $connection ) ) {
			$this->choice( $connection );
		} else {
			$this->connected( $connection );
			$this->settings_fields->show( $flash['data']['backfill_days'] ?? 30, $refused ?? $flash['data']['unsaved'] ?? null );
		}
		echo '</div>';
	}

	/** @param array{kind: string, lines: string[], data: array<string, mixed>} $flash Message of the last action. */
	private function flash( array $flash ): void {
		printf( '<div class="notice notice-%s inline tillsync-flash" role="%s">', esc_attr( $flash['kind'] ), 'error' === $flash['kind'] ? 'alert' : 'status' );
		foreach ( $flash['lines'] as $line ) {
			echo '<p>' . esc_html( $line ) . '</p>';
		}
		$this->detail( (string) ( $flash['data']['detail'] ?? '' ) );
		echo '</div>';
		$steps = $flash['data']['steps'] ?? array();
		if ( is_array( $steps ) && array() !== $steps ) {
			$this->steps( $steps );
		}
	}

	/** @param array<int, array<string, mixed>> $steps Steps of ServiceTest. */
	private function steps( array $steps ): void {
		$marks = array( 'ok' => __( 'Good', 'tillsync-bridge' ), 'failed' => __( 'Wrong', 'tillsync-bridge' ), 'warning' => __( 'Look at this', 'tillsync-bridge' ) );
		echo '<ol class="tillsync-steps">';
		foreach ( $steps as $step ) {
			printf(
				'<li class="tillsync-step-%s"><strong>%s · %s</strong> %s %s',
				esc_attr( $step['state'] ),
				esc_html( SettingsTexts::side( $step['side'] ) ),
				esc_html( $marks[ $step['state'] ] ?? '' ),
				esc_html( $step['said'] ),
				esc_html( $step['to_do'] )
			);
			$this->detail( $step['detail'] );
			echo '</li>';
		}
		echo '</ol>';
	}

	/** Prints the service's English message for the person who gives support. */
	private function detail( string $text ): void {
		if ( '' !== $text ) {
			printf( '<p class="description">%s <span lang="en" dir="ltr">%s</span></p>', esc_html__( 'For whoever helps you:', 'tillsync-bridge' ), esc_html( $text ) );
		}
	}

	private function connect_form(): void {
		$copy_of = $this->connections->copy_of();
		if ( null !== $copy_of ) {
			/* translators: %s: address of a shop */
			echo '<p>' . esc_html( sprintf( __( 'This site was marked as a copy of %s. Connect it only to an account of its own.', 'tillsync-bridge' ), $copy_of ) ) . '</p>';
		}
		if ( null !== $this->connections->constant() ) {
			echo '<p>' . esc_html__( 'The connection key is in wp-config.php (TILLSYNC_CONNECT).', 'tillsync-bridge' ) . ' ' . esc_html( null === $copy_of && SiteIdentity::is_production() ? $this->constant_connect->state() : '' ) . '</p>';
		} else {
			printf(
				'<p><label for="tillsync-connect">%s</label></p><p><textarea id="tillsync-connect" name="tillsync_connect" rows="4" class="large-text code" autocomplete="off" spellcheck="false" aria-describedby="tillsync-connect-help" dir="ltr"></textarea></p><p class="description" id="tillsync-connect-help">%s</p>',
				esc_html__( 'Connection key', 'tillsync-bridge' ),
				esc_html__( 'Paste the key you received from Tillsync (starts with tillsync1.). Keep it secret.', 'tillsync-bridge' )
			);
		}
		if ( ! SiteIdentity::is_production() ) {
			printf(
				'<p><label><input type="checkbox" name="tillsync_test_site" value="1"> %s</label></p>',
				/* translators: %s: environment type, such as "staging" */
				esc_html( sprintf( __( 'This site is no live shop (environment: %s). Connect it all the same.', 'tillsync-bridge' ), SiteIdentity::environment() ) )
			);
		}
		echo '<p class="submit">';
		self::button( 'connect', __( 'Connect', 'tillsync-bridge' ), 'button-primary' );
		echo '</p>';
	}

	private function choice( Connection $connection ): void {
		echo '<div class="notice notice-warning inline"><p><strong>' . esc_html__( 'This site\'s address has changed', 'tillsync-bridge' ) . '</strong></p><p>';
		/* translators: 1: address, 2: environment type, 3: address, 4: environment type */
		echo esc_html( sprintf( __( 'Connected as %1$s (%2$s), now %3$s (%4$s). Until you choose, nothing is sent and nothing is accepted.', 'tillsync-bridge' ), $connection->home_url, $connection->environment, SiteIdentity::home_url(), SiteIdentity::environment() ) );
		echo '</p><p class="submit">';
		self::button( 'reconnect', __( 'Keep this site connected', 'tillsync-bridge' ) );
		echo ' ';
		self::button( 'copy', __( 'Disconnect this copy', 'tillsync-bridge' ) );
		echo '</p><p class="description">' . esc_html__( 'A copy forgets the connection; the original goes on as before. A shop that moved is connected again from here, with a new secret; the old place can do nothing any more.', 'tillsync-bridge' ) . '</p></div>';
	}

	private function connected( Connection $connection ): void {
		// Enter in a field presses the form's first button, so a hidden Save comes first.
		echo '<p class="submit" hidden><button type="submit" name="save" value="1"></button></p>';
		/* translators: 1: name of an account, 2: address of a service */
		echo '<p>' . esc_html( sprintf( __( 'Connected to %1$s at %2$s.', 'tillsync-bridge' ), '' === $connection->account_name ? $connection->account_id : $connection->account_name, $connection->url ) ) . '</p>';
		if ( 0 !== $this->pause->since() ) {
			echo '<div class="notice notice-error inline" role="alert"><p>' . esc_html__( 'Nothing is sent: the service refuses this shop.', 'tillsync-bridge' ) . ' ' . esc_html( $this->pause->reason() ) . '</p><p class="submit">';
			self::button( 'resume', __( 'Try again', 'tillsync-bridge' ) );
			echo '</p></div>';
		}
		echo '<p class="tillsync-buttons submit">';
		self::button( 'check', __( 'Test connection', 'tillsync-bridge' ) );
		echo ' ';
		self::button( 'reconnect', __( 'Renew connection key', 'tillsync-bridge' ) );
		echo '</p><details class="tillsync-leave"><summary>' . esc_html__( 'Disconnect', 'tillsync-bridge' ) . '</summary><p>';
		echo esc_html__( 'Stops syncing. Customer links and order information are kept.', 'tillsync-bridge' );
		echo '</p><p><label><input type="checkbox" name="tillsync_even_unreached" value="1"> ' . esc_html__( 'Disconnect even if Tillsync cannot be reached', 'tillsync-bridge' ) . '</label></p><p class="submit">';
		self::button( 'disconnect', __( 'Disconnect', 'tillsync-bridge' ) );
		echo '</p></details>';
	}

	/**
	 * Prints a button that posts WooCommerce's form to SettingsActions. It must be inside an element of the class "submit". Outside of one,
	 * WooCommerce's script asks whether to leave the page once anything was typed.
	 */
	public static function button( string $action, string $text, string $kind = '' ): void {
		printf( '<button type="submit" class="button %s" formaction="%s" formmethod="post" formnovalidate>%s</button>', esc_attr( $kind ), esc_url( SettingsActions::url( $action ) ), esc_html( $text ) );
	}

	private function enqueue(): void {
		wp_enqueue_style( 'tillsync-bridge', plugins_url( 'assets/tillsync.css', \Tillsync\Bridge\PLUGIN_FILE ), array(), \Tillsync\Bridge\VERSION );
		wp_enqueue_script( self::SCRIPT, plugins_url( 'assets/settings.js', \Tillsync\Bridge\PLUGIN_FILE ), array( SharedScript::handle() ), \Tillsync\Bridge\VERSION, true );
		$words = array(
			'loading' => __( 'One moment …', 'tillsync-bridge' ),
			'find'    => __( 'Search the till', 'tillsync-bridge' ),
			'search'  => __( 'Number, email or name', 'tillsync-bridge' ),
			'choose'  => __( 'Choose', 'tillsync-bridge' ),
			'none'    => __( 'The till has no such customer.', 'tillsync-bridge' ),
			'more'    => __( 'There are more: make the search narrower.', 'tillsync-bridge' ),
			'taken'   => __( 'linked to a shopper: cannot be the default customer', 'tillsync-bridge' ),
			'chosen'  => __( 'Chosen. Save to keep it.', 'tillsync-bridge' ),
			'expired' => __( 'Your session has expired. Reload the page and try again.', 'tillsync-bridge' ),
			'failed'  => __( 'That did not work. Try again.', 'tillsync-bridge' ),
		);
		wp_add_inline_script( self::SCRIPT, 'window.tillsyncSettings = ' . wp_json_encode( array( 'namespace' => AdminGate::NAMESPACE, 'words' => $words ), JSON_HEX_TAG ) . ';', 'before' );
	}
}
