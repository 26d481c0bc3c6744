<?php
/**
 * The page WooCommerce → Till sync.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\AnswerTexts;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;

/** Prints the frame, which the script fills by REST. The menu shows the service's last count and makes no call. */
final class QueuesPage {

	public const SLUG = 'tillsync-queues';

	private const SCRIPTS = array( 'queues-parts', 'queues-row', 'queues-chooser', 'queues' );

	public function __construct(
		private readonly HeldCount $held_count,
		private readonly ConnectionStore $connections,
		private readonly Log $log
	) {}

	/**
	 * @param mixed $ids Ids of WooCommerce's screens.
	 * @return mixed
	 */
	public function with_screen_id( $ids = array() ) {
		return is_array( $ids ) ? array_merge( $ids, array( 'woocommerce_page_' . self::SLUG ) ) : $ids;
	}

	/** @param array<string, string> $arguments queue, state, search. */
	public static function url( array $arguments = array() ): string {
		return add_query_arg( array_map( 'rawurlencode', $arguments ), admin_url( 'admin.php?page=' . self::SLUG ) );
	}

	public function add_page(): void {
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			return;
		}
		$held  = $this->held_count->get();
		$title = esc_html__( 'Till sync', 'tillsync-bridge' );
		if ( $held > 0 ) {
			/* translators: %s: number of orders */
			$words  = sprintf( _n( '%s order waits for you', '%s orders wait for you', $held, 'tillsync-bridge' ), number_format_i18n( $held ) );
			$title .= sprintf( ' <span class="awaiting-mod count-%1$d"><span class="pending-count" aria-hidden="true">%2$s</span><span class="screen-reader-text">%3$s</span></span>', $held, esc_html( number_format_i18n( $held ) ), esc_html( $words ) );
		}
		add_submenu_page( 'woocommerce', __( 'Till sync', 'tillsync-bridge' ), $title, AdminGate::CAPABILITY, self::SLUG, fn() => SafeCall::run( $this->log, 'queues page', fn() => $this->show() ) );
	}

	private function show(): void {
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			return;
		}
		echo '<div class="wrap tillsync-page"><h1>' . esc_html__( 'Till sync', 'tillsync-bridge' ) . '</h1>';
		if ( ! $this->connections->is_connected() ) {
			printf( '<p>%s <a href="%s">%s</a></p></div>', esc_html__( 'This shop is not connected to a tillsync service.', 'tillsync-bridge' ), esc_url( SettingsIntegration::url() ), esc_html__( 'Connect it on the settings screen', 'tillsync-bridge' ) );
			return;
		}
		$this->enqueue();
		echo '<div id="tillsync-queues"><noscript><p>' . esc_html__( 'This page needs JavaScript. The answer of each order is also on its own screen.', 'tillsync-bridge' ) . '</p></noscript></div></div>';
	}

	private function enqueue(): void {
		$version = \Tillsync\Bridge\VERSION;
		wp_enqueue_style( 'tillsync-bridge', plugins_url( 'assets/tillsync.css', \Tillsync\Bridge\PLUGIN_FILE ), array(), $version );
		wp_enqueue_style( 'tillsync-bridge-queues', plugins_url( 'assets/queues.css', \Tillsync\Bridge\PLUGIN_FILE ), array( 'tillsync-bridge' ), $version );
		$needs = array( SharedScript::handle() );
		foreach ( self::SCRIPTS as $name ) {
			wp_enqueue_script( "tillsync-bridge-{$name}", plugins_url( "assets/{$name}.js", \Tillsync\Bridge\PLUGIN_FILE ), $needs, $version, true );
			$needs = array( "tillsync-bridge-{$name}" );
		}
		wp_add_inline_script( 'tillsync-bridge-queues-parts', 'window.tillsyncQueues = ' . wp_json_encode( $this->given(), JSON_HEX_TAG | JSON_HEX_AMP ) . ';', 'before' );
	}

	/** @return array<string, mixed> Data for the scripts. */
	private function given(): array {
		// phpcs:disable WordPress.Security.NonceVerification -- a link may choose what the page shows.
		$parameters = array();
		foreach ( array( 'queue', 'state', 'search' ) as $name ) {
			$parameters[ $name ] = isset( $_GET[ $name ] ) && is_string( $_GET[ $name ] ) ? sanitize_text_field( wp_unslash( $_GET[ $name ] ) ) : '';
		}
		// phpcs:enable
		$states = array();
		foreach ( QueueList::STATES as $name => $state ) {
			$states[] = array( 'value' => $name, 'label' => AnswerTexts::state( $state ) );
		}
		$outcomes = array();
		foreach ( array_keys( QueueList::QUEUES ) as $queue ) {
			foreach ( OutcomeTexts::of_queue( $queue ) as $code ) {
				$outcomes[ $queue ][] = array( 'value' => $code, 'label' => OutcomeTexts::names()[ $code ] );
			}
		}
		return array(
			'namespace' => AdminGate::NAMESPACE,
			'start'     => array(
				'queue'  => isset( QueueList::QUEUES[ $parameters['queue'] ] ) ? $parameters['queue'] : 'orders',
				'state'  => isset( QueueList::STATES[ $parameters['state'] ] ) ? $parameters['state'] : '',
				'search' => mb_substr( $parameters['search'], 0, 254 ),
			),
			'states'    => $states,
			'outcomes'  => $outcomes,
			'poll'      => 15000,
			'words'     => QueuesTexts::all(),
		);
	}
}
