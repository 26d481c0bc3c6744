<?php
/**
 * The buttons of the settings screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Closure;
use Throwable;
use Tillsync\Bridge\Connection\ConnectError;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Health\ServiceTest;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\ServiceErrorResponse;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Request;

/** Plain posts to admin-post.php, each with our nonce and manage_woocommerce, so that the screen works without a script. */
final class SettingsActions {

	public const NONCE  = 'tillsync_bridge_settings';
	public const FIELD  = 'tillsync_nonce';
	public const PREFIX = 'tillsync_bridge_';

	/** After these the settings are another's, or are shown as they are stored: what was typed goes. */
	private const DROP_INPUT = array( 'connect', 'disconnect', 'copy', 'refresh' );

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		$actions = array(
			'connect'          => fn() => $this->connect(),
			'reconnect'        => fn() => $this->reconnect(),
			'disconnect'       => fn() => $this->disconnect(),
			'copy'             => fn() => $this->copy(),
			'check'            => fn() => $this->check(),
			'refresh'          => fn() => $this->refresh(),
			'resume'           => fn() => $this->resume(),
			'preview'          => fn() => Flash::keep( 'info', SettingsWords::effect( $this->preview( SettingsInput::read() ), true ) ),
			'unconfirmed'      => fn() => Flash::keep( 'info', $this->services->get( UnconfirmedLinks::class )->lines() ),
			'backfill_preview' => fn() => $this->backfill_preview(),
			'backfill'         => fn() => $this->backfill(),
		);
		foreach ( $actions as $name => $body ) {
			add_action( 'admin_post_' . self::PREFIX . $name, fn() => $this->handle( $name, $body ) );
		}
		add_action( 'rest_api_init', Guarded::action( $this->services, 'rest_api_init', fn() => $this->add_route() ) );
	}

	/** Where a button posts to. */
	public static function url( string $name ): string {
		return admin_url( 'admin-post.php?action=' . self::PREFIX . $name );
	}

	private function handle( string $name, Closure $body ): void {
		// invariant: admin-actions-need-the-right
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			wp_die( esc_html__( 'You may not manage this shop.', 'tillsync-bridge' ), '', array( 'response' => 403 ) );
		}
		// invariant: admin-actions-check-their-nonce
		check_admin_referer( self::NONCE, self::FIELD );
		// Every button posts the whole form and loads the page anew: what was typed, and is not saved, comes along.
		$unsaved = SettingsInput::is_given() ? array( 'settings' => $this->services->get( SiteSettings::class )->differing( SettingsInput::read() ), 'statuses' => SettingsInput::statuses() ) : null;
		try {
			$body();
		} catch ( ConnectError $error ) {
			Flash::keep( 'error', array( $error->getMessage() ), array( 'detail' => $error->detail ) );
		} catch ( ServiceError $error ) {
			Flash::keep( 'error', array( SettingsWords::failure( $error ) ) );
		} catch ( Throwable $error ) {
			$this->services->log()->failure( $name, $error );
			Flash::keep( 'error', array( __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ) ) );
		}
		if ( null !== $unsaved && ! in_array( $name, self::DROP_INPUT, true ) ) {
			Flash::add( array( 'unsaved' => $unsaved ) );
		}
		wp_safe_redirect( SettingsIntegration::url() );
		exit;
	}

	private function connect(): void {
		// Not sanitize_text_field: it would change the string, and nothing of it is printed. ConnectString checks it character by character.
		$given    = isset( $_POST['tillsync_connect'] ) && is_string( $_POST['tillsync_connect'] ) ? wp_unslash( $_POST['tillsync_connect'] ) : ''; // phpcs:ignore WordPress.Security
		$constant = $this->services->connections()->constant();
		$name     = $this->services->get( Connector::class )->connect( $constant ?? $given, isset( $_POST['tillsync_test_site'] ) )->account_name; // phpcs:ignore WordPress.Security.NonceVerification
		/* translators: %s: name of an account */
		Flash::keep( 'success', array( sprintf( __( 'Connected to %s. Orders from now on are matched; older ones only when you ask for it below.', 'tillsync-bridge' ), '' === $name ? __( 'your account', 'tillsync-bridge' ) : $name ) ) );
	}

	private function reconnect(): void {
		$this->services->get( Connector::class )->reconnect();
		$this->services->get( Drain::class )->kick();
		Flash::keep( 'success', array( __( 'Connected again, with a new secret.', 'tillsync-bridge' ) ) );
	}

	private function disconnect(): void {
		$this->services->get( Connector::class )->disconnect( isset( $_POST['tillsync_even_unreached'] ) ); // phpcs:ignore WordPress.Security.NonceVerification
		Flash::keep( 'success', array( __( 'Disconnected. The token is of no use any more.', 'tillsync-bridge' ) ) );
	}

	private function copy(): void {
		$this->services->get( Connector::class )->become_copy();
		Flash::keep( 'success', array( __( 'This site forgot the connection. The original shop goes on as before.', 'tillsync-bridge' ) ) );
	}

	private function check(): void {
		$checked = $this->services->get( ServiceTest::class )->steps();
		Flash::keep( $checked['ok'] ? 'success' : 'error', array( $checked['ok'] ? __( 'Both sides answer as they should.', 'tillsync-bridge' ) : __( 'Something is wrong: see the steps below.', 'tillsync-bridge' ) ), array( 'steps' => $checked['steps'] ) );
	}

	private function refresh(): void {
		$this->services->get( SiteSettings::class )->refresh();
		Flash::keep( 'info', array( __( 'The settings are shown as the service has them now.', 'tillsync-bridge' ) ) );
	}

	private function resume(): void {
		$this->services->get( OutboxPause::class )->resume();
		$report = $this->services->get( Drain::class )->run( null, true );
		Flash::keep( '' === $report->stopped_by ? 'success' : 'error', array( '' === $report->stopped_by ? __( 'The service answers again.', 'tillsync-bridge' ) : \Tillsync\Bridge\Orders\OrderPanel::hindrance( $report->stopped_by ) ) );
	}

	private function backfill_preview(): void {
		$days    = self::days();
		$preview = $this->services->get( Backfill::class )->preview( $days );
		$more    = $preview['capped'] ? __( 'or more', 'tillsync-bridge' ) : '';
		/* translators: 1: days, 2: number of orders, 3: "or more" or nothing, 4: number of orders */
		Flash::keep( 'info', array( sprintf( __( 'The last %1$d days have %2$d orders %3$s in the chosen statuses; %4$d of them have not been sent.', 'tillsync-bridge' ), $days, $preview['orders'], $more, $preview['new'] ) ), array( 'backfill_days' => $days ) );
	}

	private function backfill(): void {
		$this->services->get( Backfill::class )->start( self::days() );
		Flash::keep( 'success', array( __( 'Older orders are put into the outbox in the background, oldest first.', 'tillsync-bridge' ) ) );
	}

	private static function days(): int {
		// phpcs:ignore WordPress.Security.NonceVerification
		return max( 1, min( Backfill::LONGEST_DAYS, absint( $_POST['tillsync_days'] ?? 30 ) ) );
	}

	/**
	 * @param array<string, bool|string> $wanted Fields of SiteSettings.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError
	 */
	private function preview( array $wanted ): array {
		$settings = $this->services->get( SiteSettings::class );
		$changes  = $settings->differing( $wanted );
		return array() === $changes ? array( 'customers' => 0, 'types' => 0, 'entries' => 0, 'notes' => array() ) : $settings->preview( $changes );
	}

	/** The same for the script, which shows the effect while the form is being filled in. */
	private function add_route(): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/settings/preview',
			array(
				'methods'             => 'POST',
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => array( 'settings' => array( 'type' => 'object', 'required' => true ) ),
				'callback'            => function ( WP_REST_Request $request ) {
					try {
						return rest_ensure_response( array( 'lines' => SettingsWords::effect( $this->preview( SettingsInput::of( (array) $request['settings'] ) ), true ) ) );
					} catch ( ServiceError $error ) {
						return ServiceErrorResponse::of( $error );
					} catch ( Throwable $error ) {
						$this->services->log()->failure( 'settings preview', $error );
						return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
					}
				},
			)
		);
	}
}
