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
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Health\ServiceTest;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\DrainTimer;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\ServiceErrorResponse;
use Tillsync\Bridge\Service\ServiceError;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Handles plain posts to admin-post.php, each with the plugin's nonce and manage_woocommerce, so that the screen works without a script.
 */
final class SettingsActions {

	public const NONCE  = 'tillsync_bridge_settings';
	public const FIELD  = 'tillsync_nonce';
	public const PREFIX = 'tillsync_bridge_';

	public const ACTIONS = array(
		'connect', 'reconnect', 'disconnect', 'copy', 'check', 'refresh', 'resume', 'preview', 'unconfirmed', 'backfill_preview', 'backfill',
	);

	/** After these actions the settings are another account's or are shown as stored, so unsaved input is dropped. */
	private const DROP_INPUT = array( 'connect', 'disconnect', 'copy', 'refresh' );

	public function __construct(
		private readonly UnconfirmedLinks $unconfirmed_links,
		private readonly SiteSettings $settings,
		private readonly Connector $connector,
		private readonly Drain $drain,
		private readonly DrainTimer $drain_timer,
		private readonly ServiceTest $service_test,
		private readonly OutboxPause $pause,
		private readonly Backfill $backfill,
		private readonly ConnectionStore $connections,
		private readonly Log $log
	) {}

	/** Returns the address that a button posts to. */
	public static function url( string $name ): string {
		return admin_url( 'admin-post.php?action=' . self::PREFIX . $name );
	}

	/** @param string $name One of ACTIONS. */
	public function handle( string $name ): void {
		// invariant: admin-actions-need-the-right
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			wp_die( esc_html__( 'You may not manage this shop.', 'tillsync-bridge' ), '', array( 'response' => 403 ) );
		}
		// invariant: admin-actions-check-their-nonce
		check_admin_referer( self::NONCE, self::FIELD );
		// Every button posts the whole form and reloads the page, so unsaved input is read here.
		$unsaved = SettingsInput::is_given() ? array( 'settings' => $this->settings->changed_fields( SettingsInput::read() ), 'statuses' => SettingsInput::statuses() ) : null;
		try {
			$this->act( $name );
		} catch ( ConnectError $error ) {
			Flash::store( 'error', array( $error->getMessage() ), array( 'detail' => $error->detail ) );
		} catch ( ServiceError $error ) {
			Flash::store( 'error', array( SettingsTexts::failure( $error ) ) );
		} catch ( Throwable $error ) {
			$this->log->failure( $name, $error );
			Flash::store( 'error', array( __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ) ) );
		}
		if ( null !== $unsaved && ! in_array( $name, self::DROP_INPUT, true ) ) {
			Flash::add( array( 'unsaved' => $unsaved ) );
		}
		wp_safe_redirect( SettingsIntegration::url() );
		exit;
	}

	/**
	 * @throws ConnectError
	 * @throws ServiceError
	 */
	private function act( string $name ): void {
		match ( $name ) {
			'connect'          => $this->connect(),
			'reconnect'        => $this->reconnect(),
			'disconnect'       => $this->disconnect(),
			'copy'             => $this->copy(),
			'check'            => $this->check(),
			'refresh'          => $this->refresh(),
			'resume'           => $this->resume(),
			'preview'          => Flash::store( 'info', SettingsTexts::effect( $this->preview( SettingsInput::read() ), true ) ),
			'unconfirmed'      => Flash::store( 'info', $this->unconfirmed_links->lines() ),
			'backfill_preview' => $this->backfill_preview(),
			'backfill'         => $this->backfill(),
		};
	}

	private function connect(): void {
		// sanitize_text_field would change the string. The string is not printed, and ConnectString checks each character.
		$given    = isset( $_POST['tillsync_connect'] ) && is_string( $_POST['tillsync_connect'] ) ? wp_unslash( $_POST['tillsync_connect'] ) : ''; // phpcs:ignore WordPress.Security
		$constant = $this->connections->constant();
		$name     = $this->connector->connect( $constant ?? $given, isset( $_POST['tillsync_test_site'] ) )->account_name; // phpcs:ignore WordPress.Security.NonceVerification
		/* translators: %s: name of an account */
		Flash::store( 'success', array( sprintf( __( 'Connected to %s. Orders from now on are matched; older ones only when you ask for it below.', 'tillsync-bridge' ), '' === $name ? __( 'your account', 'tillsync-bridge' ) : $name ) ) );
	}

	private function reconnect(): void {
		$this->connector->reconnect();
		$this->drain_timer->now();
		Flash::store( 'success', array( __( 'Connected again, with a new secret.', 'tillsync-bridge' ) ) );
	}

	private function disconnect(): void {
		$this->connector->disconnect( isset( $_POST['tillsync_even_unreached'] ) ); // phpcs:ignore WordPress.Security.NonceVerification
		Flash::store( 'success', array( __( 'Disconnected. The token is of no use any more.', 'tillsync-bridge' ) ) );
	}

	private function copy(): void {
		$this->connector->become_copy();
		Flash::store( 'success', array( __( 'This site forgot the connection. The original shop goes on as before.', 'tillsync-bridge' ) ) );
	}

	private function check(): void {
		$checked = $this->service_test->steps();
		Flash::store( $checked['ok'] ? 'success' : 'error', array( $checked['ok'] ? __( 'Connection OK.', 'tillsync-bridge' ) : __( 'The connection test found a problem.', 'tillsync-bridge' ) ), array( 'steps' => $checked['steps'] ) );
	}

	private function refresh(): void {
		$this->settings->refresh();
		Flash::store( 'info', array( __( 'The settings are shown as the service has them now.', 'tillsync-bridge' ) ) );
	}

	private function resume(): void {
		$this->pause->resume();
		$report = $this->drain->run( null, true );
		Flash::store( '' === $report->stopped_by ? 'success' : 'error', array( '' === $report->stopped_by ? __( 'The service answers again.', 'tillsync-bridge' ) : \Tillsync\Bridge\Orders\OrderPanel::stop_text( $report->stopped_by ) ) );
	}

	private function backfill_preview(): void {
		$days    = self::days();
		$preview = $this->backfill->preview( $days );
		$more    = $preview['capped'] ? __( 'or more', 'tillsync-bridge' ) : '';
		/* translators: 1: days, 2: number of orders, 3: "or more" or nothing, 4: number of orders */
		Flash::store( 'info', array( sprintf( __( 'The last %1$d days have %2$d orders %3$s in the chosen statuses; %4$d of them have not been sent.', 'tillsync-bridge' ), $days, $preview['orders'], $more, $preview['new'] ) ), array( 'backfill_days' => $days ) );
	}

	private function backfill(): void {
		$this->backfill->start( self::days() );
		Flash::store( 'success', array( __( 'Past orders are imported in the background, oldest first.', 'tillsync-bridge' ) ) );
	}

	private static function days(): int {
		// phpcs:ignore WordPress.Security.NonceVerification
		return max( 1, min( Backfill::LONGEST_DAYS, absint( $_POST['tillsync_days'] ?? 30 ) ) );
	}

	/**
	 * @param array<string, bool|string> $values Fields of SiteSettings.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError
	 */
	private function preview( array $values ): array {
		$changes = $this->settings->changed_fields( $values );
		return array() === $changes ? array( 'customers' => 0, 'types' => 0, 'entries' => 0, 'notes' => array() ) : $this->settings->preview( $changes );
	}

	/**
	 * Adds the route of the preview. The script shows the effect while the person fills in the form.
	 *
	 * @param Closure(): self $made Creates the object when a request comes.
	 */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/settings/preview',
			array(
				'methods'             => 'POST',
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => array( 'settings' => array( 'type' => 'object', 'required' => true ) ),
				'callback'            => static fn( WP_REST_Request $request ) => $made()->answer( $request ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	private function answer( WP_REST_Request $request ) {
		try {
			return rest_ensure_response( array( 'lines' => SettingsTexts::effect( $this->preview( SettingsInput::of( (array) $request['settings'] ) ), true ) ) );
		} catch ( ServiceError $error ) {
			return ServiceErrorResponse::of( $error );
		} catch ( Throwable $error ) {
			$this->log->failure( 'settings preview', $error );
			return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
		}
	}
}
